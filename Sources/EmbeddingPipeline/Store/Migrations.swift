import Crypto
import Foundation
import GRDB

/// The library's schema, as the steps that made it. Steps are added, never changed.
enum Migrations {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 subjects, materials and chunks", migrate: createMaterials)
        migrator.registerMigration("2 embedding status", migrate: addEmbeddingStatus)
        migrator.registerMigration("3 tasks", migrate: createTasks)
        return migrator
    }

    private static func createMaterials(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE subjects (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    name TEXT NOT NULL UNIQUE,
                    created_at TEXT NOT NULL);
                CREATE TABLE materials (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    subject_id INTEGER NOT NULL REFERENCES subjects(id) ON DELETE CASCADE,
                    title TEXT NOT NULL,
                    source_path TEXT,
                    media_type TEXT,
                    content_hash TEXT,
                    processing_status TEXT NOT NULL DEFAULT 'pending'
                        CHECK (processing_status IN ('pending', 'extracted', 'completed', 'failed')),
                    created_at TEXT NOT NULL);
                CREATE UNIQUE INDEX materials_by_source ON materials(subject_id, source_path);
                CREATE TABLE content_chunks (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    material_id INTEGER NOT NULL REFERENCES materials(id) ON DELETE CASCADE,
                    ordinal INTEGER NOT NULL,
                    text TEXT NOT NULL,
                    page INTEGER,
                    byte_start INTEGER,
                    byte_end INTEGER,
                    token_count INTEGER,
                    embedding BLOB,
                    created_at TEXT NOT NULL);
                CREATE UNIQUE INDEX content_chunks_by_place ON content_chunks(material_id, ordinal);
                """)
    }

    private static func addEmbeddingStatus(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE models (
                    fingerprint TEXT PRIMARY KEY NOT NULL,
                    name TEXT NOT NULL,
                    dimension INTEGER NOT NULL,
                    is_unit INTEGER NOT NULL,
                    created_at TEXT NOT NULL);
                CREATE TABLE claims (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    owner TEXT NOT NULL,
                    is_alone INTEGER NOT NULL,
                    expires_at TEXT NOT NULL,
                    created_at TEXT NOT NULL);
                ALTER TABLE materials ADD COLUMN last_error TEXT;
                ALTER TABLE materials ADD COLUMN updated_at TEXT;
                ALTER TABLE content_chunks ADD COLUMN text_hash BLOB;
                ALTER TABLE content_chunks ADD COLUMN embedding_status TEXT NOT NULL
                    DEFAULT 'pending'
                    CHECK (embedding_status IN ('pending', 'completed', 'failed'));
                ALTER TABLE content_chunks ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE content_chunks ADD COLUMN interruptions INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE content_chunks ADD COLUMN is_set_aside INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE content_chunks ADD COLUMN last_error TEXT;
                ALTER TABLE content_chunks ADD COLUMN model_fingerprint TEXT
                    REFERENCES models(fingerprint);
                ALTER TABLE content_chunks ADD COLUMN claim_id INTEGER
                    REFERENCES claims(id) ON DELETE SET NULL;
                ALTER TABLE content_chunks ADD COLUMN updated_at TEXT;
                -- The length stands in the indexes: nothing reads a vector to see that it is there.
                ALTER TABLE content_chunks ADD COLUMN embedding_byte_count INTEGER
                    GENERATED ALWAYS AS (length(embedding)) VIRTUAL;

                UPDATE materials SET updated_at = created_at;
                UPDATE content_chunks SET updated_at = created_at,
                    embedding_status = iif(length(embedding) > 0, 'completed', 'pending');

                CREATE TABLE previous_embeddings (
                    chunk_id INTEGER PRIMARY KEY
                        REFERENCES content_chunks(id) ON DELETE CASCADE,
                    model_fingerprint TEXT NOT NULL REFERENCES models(fingerprint),
                    embedding BLOB NOT NULL);
                -- One row: the model whose vectors are searched, and the one they are made with.
                CREATE TABLE generation (
                    id INTEGER PRIMARY KEY CHECK (id = 1),
                    active_fingerprint TEXT REFERENCES models(fingerprint),
                    target_fingerprint TEXT REFERENCES models(fingerprint));
                INSERT INTO generation (id) VALUES (1);
                """)
        try hashTexts(db)
        try db.execute(
            sql: """
                CREATE INDEX content_chunks_by_status ON content_chunks(
                    embedding_status, model_fingerprint, embedding_byte_count, is_set_aside,
                    material_id);
                CREATE INDEX content_chunks_by_material ON content_chunks(
                    material_id, embedding_status, model_fingerprint, embedding_byte_count,
                    is_set_aside, token_count);
                CREATE INDEX content_chunks_by_text ON content_chunks(text_hash);
                CREATE INDEX content_chunks_by_claim ON content_chunks(claim_id)
                    WHERE claim_id IS NOT NULL;
                CREATE INDEX content_chunks_by_model ON content_chunks(model_fingerprint);
                CREATE INDEX previous_embeddings_by_model
                    ON previous_embeddings(model_fingerprint);
                """)
    }

    private static func hashTexts(_ db: Database) throws {
        let update = try db.makeStatement(
            sql: "UPDATE content_chunks SET text_hash = ? WHERE id = ?")
        let ids = try Int64.fetchCursor(db, sql: "SELECT id FROM content_chunks ORDER BY id")
        while let id = try ids.next() {
            let text = try String.fetchOne(
                db, sql: "SELECT text FROM content_chunks WHERE id = ?", arguments: [id])
            try update.execute(arguments: [TextHash.of(text ?? ""), id])
        }
    }

    private static func createTasks(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE tasks (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    name TEXT NOT NULL,
                    argument INTEGER NOT NULL,
                    state TEXT NOT NULL DEFAULT 'queued'
                        CHECK (state IN ('queued', 'running', 'succeeded', 'dead')),
                    attempts INTEGER NOT NULL DEFAULT 0,
                    next_run_at TEXT NOT NULL,
                    runs_again INTEGER NOT NULL DEFAULT 0,
                    progress INTEGER NOT NULL DEFAULT 0,
                    lease_owner TEXT,
                    lease_token INTEGER NOT NULL DEFAULT 0,
                    lease_expires_at TEXT,
                    last_error TEXT,
                    created_at TEXT NOT NULL,
                    updated_at TEXT NOT NULL);
                CREATE UNIQUE INDEX tasks_once ON tasks(name, argument)
                    WHERE state IN ('queued', 'running');
                CREATE INDEX tasks_by_state ON tasks(state, next_run_at);
                CREATE TABLE task_runs (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    task_id INTEGER NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
                    attempt INTEGER NOT NULL,
                    owner TEXT NOT NULL,
                    started_at TEXT NOT NULL,
                    ended_at TEXT,
                    outcome TEXT,
                    error TEXT);
                CREATE INDEX task_runs_by_task ON task_runs(task_id);
                """)
    }
}

/// What equal texts have in common.
enum TextHash {
    /// SHA-256 of the text's UTF-8.
    static func of(_ text: String) -> Data { Data(SHA256.hash(data: Data(text.utf8))) }
}
