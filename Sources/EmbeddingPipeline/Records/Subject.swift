import Foundation
import GRDB

/// What a person studies: it owns materials.
public struct Subject: Codable, Sendable, Identifiable, Equatable, FetchableRecord,
    MutablePersistableRecord
{
    public static let databaseTableName = "subjects"

    public private(set) var id: Int64?
    public var name: String
    public var createdAt: Date

    init(name: String, createdAt: Date) {
        self.name = name
        self.createdAt = createdAt
    }

    public mutating func didInsert(_ inserted: InsertionSuccess) { id = inserted.rowID }

    enum CodingKeys: String, CodingKey {
        case id, name
        case createdAt = "created_at"
    }
}
