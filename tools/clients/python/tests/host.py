"""A host program for the tests: embeds, prints the engine's process id, then does as its argument says."""

import gc
import os
import signal
import sys
import threading
import time

from minilm_client import Client

client = Client(os.environ["MINILM"])
client.embed("warm up")
print(client.pid, flush=True)

ending = sys.argv[1]
if ending == "busy":
    threading.Thread(target=client.embed, args=(["word " * 250] * 2000,), daemon=True).start()
    time.sleep(60)
elif ending == "exit":
    pass
elif ending == "exit-busy":
    threading.Thread(target=client.embed, args=(["word " * 250] * 2000,), daemon=True).start()
    time.sleep(0.2)
elif ending == "raise":
    raise SystemExit("the host fails")
elif ending == "forget":
    del client
    gc.collect()
    time.sleep(60)
elif ending == "stop-engine":
    os.kill(client.pid, signal.SIGSTOP)
