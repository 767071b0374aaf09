"""The adapters inside the frameworks they are for."""

import asyncio
import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

from minilm_client import Client

TEXTS = ["The cat sits outside.", "Stock markets fell sharply.", "She plays the violin."]
QUERY = "a feline in the garden"


def test_the_main_module_needs_none_of_them():
    blocked = (
        "import sys; sys.modules.update(dict.fromkeys(['langchain_core', 'llama_index', 'chromadb', 'pydantic']));"
    )
    subprocess.run([sys.executable, "-c", blocked + "import minilm_client"], check=True)


class TestLangChain:
    @pytest.fixture
    def embeddings(self, client):
        pytest.importorskip("langchain_core", reason="langchain-core is not installed")
        from minilm_client.langchain import MinilmEmbeddings

        return MinilmEmbeddings(client)

    def test_vectors(self, embeddings, client):
        assert np.allclose(embeddings.embed_documents(TEXTS), client.embed(TEXTS), atol=1e-6)
        assert np.allclose(embeddings.embed_query(QUERY), client.embed(QUERY), atol=1e-6)
        assert embeddings.embed_documents([]) == []
        assert isinstance(embeddings.embed_query(QUERY)[0], float)

    def test_asynchronous_vectors(self, embeddings, client):
        assert np.allclose(asyncio.run(embeddings.aembed_documents(TEXTS)), client.embed(TEXTS), atol=1e-6)
        assert np.allclose(asyncio.run(embeddings.aembed_query(QUERY)), client.embed(QUERY), atol=1e-6)

    def test_vector_store(self, embeddings):
        from langchain_core.vectorstores import InMemoryVectorStore

        store = InMemoryVectorStore.from_texts(TEXTS, embeddings)
        assert store.similarity_search(QUERY, k=1)[0].page_content == TEXTS[0]
        found = asyncio.run(store.asimilarity_search("music", k=1))
        assert found[0].page_content == TEXTS[2]

    def test_prompts_and_options(self, full):
        pytest.importorskip("langchain_core", reason="langchain-core is not installed")
        from minilm_client.langchain import MinilmEmbeddings

        embeddings = MinilmEmbeddings(full, query_prompt="query: ", options={"dimensions": 64})
        assert np.allclose(embeddings.embed_query("A cat"), full.embed("query: A cat", dimensions=64), atol=1e-6)
        assert np.allclose(embeddings.embed_documents(["A cat"])[0], full.embed("A cat", dimensions=64), atol=1e-6)

    def test_a_client_of_its_own(self, program, client):
        pytest.importorskip("langchain_core", reason="langchain-core is not installed")
        from minilm_client.langchain import MinilmEmbeddings

        embeddings = MinilmEmbeddings(program=program)
        assert np.allclose(embeddings.embed_query(QUERY), client.embed(QUERY), atol=1e-6)


class TestLlamaIndex:
    @pytest.fixture
    def embedding(self, client):
        pytest.importorskip("llama_index.core", reason="llama-index-core is not installed")
        from minilm_client.llama_index import MinilmEmbedding

        return MinilmEmbedding(client)

    def test_vectors(self, embedding, client):
        assert np.allclose(embedding.get_text_embedding_batch(TEXTS), client.embed(TEXTS), atol=1e-6)
        assert np.allclose(embedding.get_text_embedding(TEXTS[0]), client.embed(TEXTS[0]), atol=1e-6)
        assert np.allclose(embedding.get_query_embedding(QUERY), client.embed(QUERY), atol=1e-6)

    def test_asynchronous_vectors(self, embedding, client):
        assert np.allclose(asyncio.run(embedding.aget_text_embedding_batch(TEXTS)), client.embed(TEXTS), atol=1e-6)
        assert np.allclose(asyncio.run(embedding.aget_text_embedding(TEXTS[0])), client.embed(TEXTS[0]), atol=1e-6)
        assert np.allclose(asyncio.run(embedding.aget_query_embedding(QUERY)), client.embed(QUERY), atol=1e-6)

    def test_index(self, embedding):
        from llama_index.core import VectorStoreIndex
        from llama_index.core.schema import TextNode

        index = VectorStoreIndex([TextNode(text=text) for text in TEXTS], embed_model=embedding)
        assert index.as_retriever(similarity_top_k=1).retrieve(QUERY)[0].text == TEXTS[0]

    def test_copies(self, embedding):
        expected = embedding.get_query_embedding(QUERY)
        for duplicate in (pickle.loads(pickle.dumps(embedding)), copy.deepcopy(embedding)):
            assert np.allclose(duplicate.get_query_embedding(QUERY), expected, atol=1e-6)
            duplicate.client.close()

    def test_configuration(self, program):
        pytest.importorskip("llama_index.core", reason="llama-index-core is not installed")
        from minilm_client.llama_index import MinilmEmbedding

        stored = MinilmEmbedding(program=program, query_prompt="query: ", embed_batch_size=7).to_dict()
        restored = MinilmEmbedding.from_dict(stored)
        assert (restored.program, restored.query_prompt, restored.embed_batch_size) == (program, "query: ", 7)


class TestChroma:
    @pytest.fixture
    def function(self, client):
        pytest.importorskip("chromadb", reason="chromadb is not installed")
        from minilm_client.chroma import MinilmEmbeddingFunction

        return MinilmEmbeddingFunction(client)

    @pytest.fixture
    def open_database(self, tmp_path):
        chromadb = pytest.importorskip("chromadb", reason="chromadb is not installed")
        return lambda: chromadb.PersistentClient(str(tmp_path), chromadb.Settings(anonymized_telemetry=False))

    def test_vectors(self, function, client):
        assert np.allclose(function(TEXTS), client.embed(TEXTS), atol=1e-6)
        assert np.allclose(function.embed_query([QUERY])[0], client.embed(QUERY), atol=1e-6)

    def test_a_stored_collection_finds_its_function(self, function, open_database):
        made = open_database().create_collection("texts", embedding_function=function)
        made.add(ids=["0", "1", "2"], documents=TEXTS)
        found = open_database().get_collection("texts").query(query_texts=[QUERY], n_results=1)
        assert found["ids"] == [["0"]]
        assert made.configuration["hnsw"]["space"] == "cosine"

    def test_configuration(self, function):
        from minilm_client.chroma import MinilmEmbeddingFunction

        config = MinilmEmbeddingFunction(query_prompt="query: ", dimensions=64).get_config()
        restored = MinilmEmbeddingFunction.build_from_config(config)
        assert restored.get_config() == config and restored.name() == "minilm" and not restored.is_legacy()
        with pytest.raises(ValueError, match="dimensions"):
            restored.validate_config_update(config, {**config, "dimensions": 32})
        with pytest.raises(ValueError, match="colour"):
            restored.validate_config({**config, "colour": "red"})


def test_clients_made_by_adapters_end_with_the_host(program):
    code = "from minilm_client import Client; c = Client(start=True); print(c.pid)"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, timeout=120)
    assert int(done.stdout) > 0


def test_a_client_without_arguments_uses_the_environment(program):
    with Client() as client:
        assert client.embed("a").shape == (384,)
