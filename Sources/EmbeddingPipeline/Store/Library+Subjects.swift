import GRDB

extension Library {
    /// - Throws: `PipelineError.emptyName`, `subjectExists`.
    @discardableResult
    public func addSubject(_ name: String) throws(PipelineError) -> Subject {
        guard name.contains(where: { !$0.isWhitespace }) else { throw .emptyName }
        return try write { db in
            guard try Subject.filter(Column("name") == name).isEmpty(db) else {
                throw PipelineError.subjectExists(name)
            }
            var subject = Subject(name: name, createdAt: clock.now)
            try subject.insert(db)
            return subject
        }
    }

    /// All subjects by name.
    public func subjects() throws(PipelineError) -> [Subject] {
        try read { db in try Subject.order(Column("name"), Column("id")).fetchAll(db) }
    }

    /// The subject with a name, or else with this number as its id.
    ///
    /// - Throws: `PipelineError.noSuchSubject`.
    public func subject(_ nameOrID: String) throws(PipelineError) -> Subject {
        try read { db in
            if let subject = try Subject.filter(Column("name") == nameOrID).fetchOne(db) {
                return subject
            }
            if let id = Int64(nameOrID), let subject = try Subject.fetchOne(db, key: id) {
                return subject
            }
            throw PipelineError.noSuchSubject("\"\(nameOrID)\"")
        }
    }

    /// - Throws: `PipelineError.noSuchSubject`.
    public func subject(id: Int64) throws(PipelineError) -> Subject {
        try read { db in
            guard let subject = try Subject.fetchOne(db, key: id) else {
                throw PipelineError.noSuchSubject("\(id)")
            }
            return subject
        }
    }

    /// Changes how the text of a subject's materials is cut. What was cut before stays so until its
    /// file is read again.
    ///
    /// - Throws: `PipelineError.noSuchSubject`.
    public func setChunking(
        subjectID: Int64, tokenCount: Int?, overlapTokenCount: Int?, contextTemplate: String?
    ) throws(PipelineError) {
        try write { db in
            try db.execute(
                sql: """
                    UPDATE subjects SET chunk_tokens = ?, overlap_tokens = ?, context_template = ?
                    WHERE id = ?
                    """, arguments: [tokenCount, overlapTokenCount, contextTemplate, subjectID])
            if db.changesCount == 0 { throw PipelineError.noSuchSubject("\(subjectID)") }
        }
    }

    /// Removes a subject with its materials, chunks and tasks.
    ///
    /// - Throws: `PipelineError.noSuchSubject`.
    public func removeSubject(id: Int64) throws(PipelineError) {
        try write { db in
            let materials = try Int64.fetchAll(
                db, sql: "SELECT id FROM materials WHERE subject_id = ?", arguments: [id])
            for material in materials { try Self.removeMaterial(db, material) }
            try Self.removeTasks(db, [.processSubjectEmbeddings], argument: id)
            try db.execute(sql: "DELETE FROM subjects WHERE id = ?", arguments: [id])
            if db.changesCount == 0 { throw PipelineError.noSuchSubject("\(id)") }
        }
    }
}
