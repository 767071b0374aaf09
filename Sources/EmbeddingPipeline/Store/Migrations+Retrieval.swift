import GRDB

/// The steps that retrieval rests on.
extension Migrations {
    /// Where a chunk stands, what is put before it when it is embedded, and how text was cut.
    static func addPlaces(_ db: Database) throws {
        try db.execute(
            sql: """
                ALTER TABLE content_chunks ADD COLUMN context TEXT;
                -- JSON of `SourcePlace`.
                ALTER TABLE content_chunks ADD COLUMN place TEXT;
                ALTER TABLE materials ADD COLUMN chunking TEXT;
                -- What was wrong was wrong with this content: read anew only when it changes.
                ALTER TABLE materials ADD COLUMN failed_hash TEXT;
                ALTER TABLE subjects ADD COLUMN chunk_tokens INTEGER;
                ALTER TABLE subjects ADD COLUMN overlap_tokens INTEGER;
                ALTER TABLE subjects ADD COLUMN context_template TEXT;
                """)
    }

    /// Words of chunks, for keyword search. The index holds no text of its own.
    static func addKeywords(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE VIRTUAL TABLE chunk_terms USING fts5(
                    text, context, content='content_chunks', content_rowid='id',
                    tokenize='porter unicode61 remove_diacritics 2');
                CREATE TRIGGER chunk_terms_inserted AFTER INSERT ON content_chunks BEGIN
                    INSERT INTO chunk_terms (rowid, text, context)
                        VALUES (NEW.id, NEW.text, NEW.context);
                END;
                CREATE TRIGGER chunk_terms_deleted AFTER DELETE ON content_chunks BEGIN
                    INSERT INTO chunk_terms (chunk_terms, rowid, text, context)
                        VALUES ('delete', OLD.id, OLD.text, OLD.context);
                END;
                CREATE TRIGGER chunk_terms_updated AFTER UPDATE OF text, context ON content_chunks
                BEGIN
                    INSERT INTO chunk_terms (chunk_terms, rowid, text, context)
                        VALUES ('delete', OLD.id, OLD.text, OLD.context);
                    INSERT INTO chunk_terms (rowid, text, context)
                        VALUES (NEW.id, NEW.text, NEW.context);
                END;
                INSERT INTO chunk_terms (chunk_terms) VALUES ('rebuild');
                """)
    }

    /// Which vectors have changed, in order, so that the matrix beside the library follows.
    static func addVectorChanges(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE vector_changes (
                    version INTEGER PRIMARY KEY AUTOINCREMENT,
                    chunk_id INTEGER NOT NULL UNIQUE ON CONFLICT REPLACE);
                CREATE TRIGGER vector_inserted AFTER INSERT ON content_chunks
                    WHEN NEW.embedding IS NOT NULL
                    BEGIN INSERT INTO vector_changes (chunk_id) VALUES (NEW.id); END;
                CREATE TRIGGER vector_updated
                    AFTER UPDATE OF embedding, embedding_status, model_fingerprint
                    ON content_chunks
                    WHEN NEW.embedding IS NOT OLD.embedding
                        OR NEW.embedding_status IS NOT OLD.embedding_status
                        OR NEW.model_fingerprint IS NOT OLD.model_fingerprint
                    BEGIN INSERT INTO vector_changes (chunk_id) VALUES (NEW.id); END;
                CREATE TRIGGER vector_deleted AFTER DELETE ON content_chunks
                    WHEN OLD.embedding IS NOT NULL
                    BEGIN INSERT INTO vector_changes (chunk_id) VALUES (OLD.id); END;
                -- One row: tells this library's matrix from that of another at the same path.
                CREATE TABLE library_identity (
                    id INTEGER PRIMARY KEY CHECK (id = 1), identity BLOB NOT NULL);
                INSERT INTO library_identity VALUES (1, randomblob(16));
                """)
    }
}
