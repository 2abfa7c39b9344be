internal import LayerStore

/// One fact that a listing has about each of its rows: a column of its table, and a field of `--format` and `--sort`.
struct ListingField<Row> {
    /// The name, which is the key in JSON where JSON has one.
    let name: String
    /// The heading of the column.
    let heading: String
    /// Whether the table has the column where no format is given.
    let isColumn: Bool
    /// The fact as JSON has it, for formats and for sorting.
    let value: (Row) -> ListingValue
    /// The fact as the table has it.
    let cell: (Row) -> String

    /// Describes a field.
    ///
    /// - Parameter cell: The text in the table, where it is not that of ``ListingValue/cell``.
    init(
        _ name: String, _ heading: String, isColumn: Bool = true, _ value: @escaping (Row) -> ListingValue,
        cell: ((Row) -> String)? = nil
    ) {
        self.name = name
        self.heading = heading
        self.isColumn = isColumn
        self.value = value
        self.cell = cell ?? { value($0).cell }
    }

    /// Whether a user means this field by a word: its name or heading, in any case, and without regard to spaces.
    func isNamed(_ word: some StringProtocol) -> Bool {
        let wanted = Self.letters(word)
        return wanted == Self.letters(name) || wanted == Self.letters(heading)
    }

    private static func letters(_ text: some StringProtocol) -> String {
        text.lowercased().filter { $0.isLetter || $0.isNumber }
    }
}

/// A fact about a row of a listing.
enum ListingValue {
    /// There is no such fact about the row.
    case none
    case text(String)
    case number(Int64)
    /// A size in bytes, which the table has in a decimal unit.
    case bytes(UInt64)

    init(_ text: String?) { self = text.map(ListingValue.text) ?? .none }

    /// The time of an image or a container, which Docker leaves empty where it has none.
    init(created time: String) { self = time.isEmpty ? .none : .text(time) }

    /// The fact as JSON has it; nothing where there is none.
    var plain: String {
        switch self {
        case .none: ""
        case .text(let text): text
        case .number(let number): "\(number)"
        case .bytes(let bytes): "\(bytes)"
        }
    }

    /// The fact as tables have it.
    var cell: String {
        switch self {
        case .none: "-"
        case .text, .number: plain
        case .bytes(let bytes): ByteSize.decimal(bytes)
        }
    }

    /// Whether this stands before another value of the same field; where there is no fact, the row stands last.
    func isBefore(_ other: ListingValue, reversed: Bool) -> Bool {
        switch (self, other) {
        case (.text(let left), .text(let right)): reversed ? right < left : left < right
        case (.number(let left), .number(let right)): reversed ? right < left : left < right
        case (.bytes(let left), .bytes(let right)): reversed ? right < left : left < right
        case (.none, _): false
        case (_, .none): true
        default: false
        }
    }
}
