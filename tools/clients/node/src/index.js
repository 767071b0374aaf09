export { Minilm } from "./minilm.js";
export { EngineDied, RequestError, TextErrors } from "./errors.js";
