import Crypto
import Foundation
import GRDB

/// The library's schema, as the steps that made it. Steps are added, never changed.
package enum Migrations {
    package static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 subjects, materials and chunks", migrate: createMaterials)
        migrator.registerMigration("2 embedding status", migrate: addEmbeddingStatus)
        migrator.registerMigration("3 tasks", migrate: createTasks)
        migrator.registerMigration("4 places and context", migrate: addPlaces)
        migrator.registerMigration("5 keywords", migrate: addKeywords)
        migrator.registerMigration("6 vector changes", migrate: addVectorChanges)
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
                UPDATE materials SET updated_at = created_at;

                -- What is large stands last, so that the rest is read without it.
                CREATE TABLE new_content_chunks (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    material_id INTEGER NOT NULL REFERENCES materials(id) ON DELETE CASCADE,
                    ordinal INTEGER NOT NULL,
                    page INTEGER,
                    byte_start INTEGER,
                    byte_end INTEGER,
                    token_count INTEGER,
                    embedding_status TEXT NOT NULL DEFAULT 'pending'
                        CHECK (embedding_status IN ('pending', 'completed', 'failed')),
                    attempts INTEGER NOT NULL DEFAULT 0,
                    interruptions INTEGER NOT NULL DEFAULT 0,
                    lone_interruptions INTEGER NOT NULL DEFAULT 0,
                    is_set_aside INTEGER NOT NULL DEFAULT 0,
                    last_error TEXT,
                    model_fingerprint TEXT REFERENCES models(fingerprint),
                    claim_id INTEGER REFERENCES claims(id) ON DELETE SET NULL,
                    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
                    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
                    -- The embedding's length stands in the indexes: nothing reads a vector to see
                    -- that it is there. (An index never covers a generated column.)
                    embedding_byte_count INTEGER,
                    text_hash BLOB,
                    text TEXT NOT NULL,
                    embedding BLOB);
                INSERT INTO new_content_chunks (id, material_id, ordinal, page, byte_start,
                        byte_end, token_count, embedding_status, created_at, updated_at,
                        embedding_byte_count, text, embedding)
                    SELECT id, material_id, ordinal, page, byte_start, byte_end, token_count,
                        iif(length(embedding) > 0, 'completed', 'pending'), created_at, created_at,
                        length(embedding), text, embedding
                    FROM content_chunks;
                DROP TABLE content_chunks;
                ALTER TABLE new_content_chunks RENAME TO content_chunks;
                CREATE TRIGGER content_chunks_inserted AFTER INSERT ON content_chunks
                    WHEN NEW.embedding_byte_count IS NOT length(NEW.embedding)
                    BEGIN
                        UPDATE content_chunks SET embedding_byte_count = length(embedding)
                            WHERE id = NEW.id;
                    END;
                CREATE TRIGGER content_chunks_updated
                    AFTER UPDATE OF embedding, embedding_byte_count ON content_chunks
                    WHEN NEW.embedding_byte_count IS NOT length(NEW.embedding)
                    BEGIN
                        UPDATE content_chunks SET embedding_byte_count = length(embedding)
                            WHERE id = NEW.id;
                    END;

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
                -- One row: how often a chunk that was alone in work when a process ended went well
                -- later. Something else ends processes then.
                CREATE TABLE suspicion (
                    id INTEGER PRIMARY KEY CHECK (id = 1),
                    refuted_count INTEGER NOT NULL DEFAULT 0);
                INSERT INTO suspicion (id) VALUES (1);
                """)
        try hashTexts(db)
        try db.execute(
            sql: """
                CREATE UNIQUE INDEX content_chunks_by_place ON content_chunks(material_id, ordinal);
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
                    interruptions INTEGER NOT NULL DEFAULT 0,
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
                CREATE INDEX tasks_by_work ON tasks(name, argument);
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
package enum TextHash {
    /// SHA-256 of the UTF-8 of what is embedded: the context, if there is one, and the text.
    package static func of(_ text: String, context: String? = nil) -> Data {
        of((context ?? "") + text)
    }

    private static func of(_ text: String) -> Data { Data(SHA256.hash(data: Data(text.utf8))) }
}
