internal import DeviceMapper

/// The rows of `info -c`, `splitname`, `stats list` and `stats report`, printed when all are there.
final class DMReport {
    private let fields: [DMReportField]
    private let keys: [(field: DMReportField, isDescending: Bool)]
    private let selection: DMSelection?
    private let options: DMSetupOptions
    /// Whether a column of statistics is asked for: then no device has a row.
    private let hasStatistics: Bool
    private var rows: [[String]] = []
    private var sortValues: [[DMReportKey]] = []
    private var isHeadingPrinted = false

    private init(
        _ fields: [DMReportField], _ keys: [(field: DMReportField, isDescending: Bool)], _ selection: DMSelection?,
        _ hasStatistics: Bool, _ options: DMSetupOptions
    ) {
        (self.fields, self.keys, self.selection) = (fields, keys, selection)
        (self.hasStatistics, self.options) = (hasStatistics, options)
    }

    /// Makes a report of the columns that the command line asks for.
    ///
    /// - Parameter groups: The groups that “all” stands for whichever columns are there; with none, the report is one of devices.
    /// - Returns: `nil` where the list of columns was printed instead, or a name is wrong.
    static func make(
        _ session: DMSetupSession, _ names: String, _ groups: Set<DMReportField.Group> = []
    ) throws(DMSetupFailed) -> DMReport? {
        var fields: [DMReportField] = []
        for name in names.split(separator: ",") {
            let name = name.lowercased()
            if isHelp(name, session) { return nil }
            if name == "all" {
                let groups = groups.union(fields.map(\.group))
                fields += DMReportField.all.filter { !$0.isExtra && (groups.isEmpty || groups.contains($0.group)) }
            } else if let found = Self.fields(named: name) {
                fields += found
            } else {
                return refuse("Unrecognised field: \(name)")
            }
        }
        var keys: [(field: DMReportField, isDescending: Bool)] = []
        for word in (session.options.text("sort") ?? "").split(separator: ",") {
            let name = word.drop { $0 == "+" || $0 == "-" }
            if isHelp(name.lowercased(), session) { return nil }
            guard let field = Self.fields(named: name.lowercased())?.first else {
                return refuse("dm_report: Unrecognised field: \(name)")
            }
            keys.append((field, word.hasPrefix("-")))
        }
        var selection: DMSelection?
        if let text = session.options.text("select") {
            do throws(DMSelection.Problem) {
                selection = try DMSelection(text)
            } catch {
                if error.isHelp { session.wantsFieldHelp = true }
                DMSetupSession.complain(error.message)
                return nil
            }
        }
        let isOfDevices = groups.isEmpty && (fields + keys.map(\.field)).contains(where: \.isOfStatistics)
        return DMReport(fields, keys, selection, isOfDevices, session.options)
    }

    /// Prints the list of columns where a name asks for it.
    private static func isHelp(_ name: String, _ session: DMSetupSession) -> Bool {
        guard name == "help" || name == "?" else { return false }
        session.wantsFieldHelp = true
        DMSetupSession.complain(DMReportField.help(withTypes: false))
        return true
    }

    private static func refuse(_ message: String) -> DMReport? {
        DMSetupSession.complain("\(DMReportField.help(withTypes: false)) \n\(message)")
        return nil
    }

    /// The columns with a name, which may be that of a group; with or without the underscores.
    static func fields(named name: String) -> [DMReportField]? {
        let plain = name.filter { $0 != "_" }
        if plain == "selected" { return [.selected] }
        if let field = DMReportField.all.first(where: { $0.name.filter { $0 != "_" } == plain }) { return [field] }
        guard name.hasSuffix("_all"), let group = DMReportField.Group(rawValue: String(name.dropLast(4))) else {
            return nil
        }
        return DMReportField.all.filter { $0.group == group && !$0.isExtra }
    }

    /// Whether a column needs to know which mapped devices use which.
    var showsRelations: Bool {
        (fields + keys.map(\.field)).contains { $0.group == .deps && $0.isExtra }
    }

    // MARK: Rows

    func add(_ information: DeviceInformation, _ session: DMSetupSession) throws(DMSetupFailed) {
        if hasStatistics { return }
        try add(DMReportRow(information, session), session)
    }

    func add(_ row: DMReportRow, _ session: DMSetupSession) throws(DMSetupFailed) {
        if let selection {
            // dmsetup reads every column before it selects, and fails where it cannot read one.
            for field in fields { _ = try field.value(row) }
            row.isSelected = try selection.takes(row)
            guard row.isSelected || fields.contains(where: { $0.name == "selected" }) else { return }
        }
        var values: [String] = []
        for field in fields { values.append(try field.value(row)) }
        var sortValues: [DMReportKey] = []
        for key in keys { sortValues.append(try key.field.key(row)) }
        rows.append(values)
        self.sortValues.append(sortValues)
        if options.has("unbuffered") { finish(session) }
    }

    // MARK: Printing

    private var hasPrefixes: Bool { options.has("nameprefixes") }
    private var hasHeadings: Bool { !options.has("noheadings") }
    private var separator: String { options.text("separator") ?? (hasHeadings ? " " : ":") }
    /// Whether a new heading stands above the next rows.
    func repeatHeading() { isHeadingPrinted = false }

    private var isAligned: Bool {
        hasHeadings && !hasPrefixes && !options.has("separator") && !options.has("rows")
    }

    /// Prints the rows that are there.
    func finish(_ session: DMSetupSession) {
        guard !rows.isEmpty else { return }
        let order = rows.indices.sorted { comesBefore($0, $1) }
        let sorted = order.map { rows[$0] }
        rows = []
        sortValues = []
        if options.has("rows") { return printTurned(sorted, session) }
        let widths = fields.indices.map { column in
            let longest = options.has("unbuffered") ? 0 : sorted.map { $0[column].utf8.count }.max() ?? 0
            return max(fields[column].width, fields[column].heading.utf8.count, longest)
        }
        if hasHeadings, !isHeadingPrinted {
            session.print(
                fields.indices.map { isAligned ? fields[$0].heading.padded(widths[$0]) : fields[$0].heading }
                    .joined(separator: separator))
            isHeadingPrinted = true
        }
        for row in sorted {
            session.print(row.indices.map { cell(row[$0], $0, widths[$0]) }.joined(separator: separator))
        }
    }

    private func cell(_ value: String, _ column: Int, _ width: Int) -> String {
        if hasPrefixes {
            let quote = options.has("unquoted") ? "" : "'"
            return "DM_\(fields[column].name.uppercased())=\(quote)\(value)\(quote)"
        }
        guard isAligned else { return value }
        return fields[column].isNumber ? value.paddedLeft(width) : value.padded(width)
    }

    /// Prints a line for each column.
    private func printTurned(_ rows: [[String]], _ session: DMSetupSession) {
        for column in fields.indices {
            let heading = hasHeadings ? [fields[column].heading] : []
            session.print((heading + rows.map { cell($0[column], column, 0) }).joined(separator: separator))
        }
    }

    private func comesBefore(_ left: Int, _ right: Int) -> Bool {
        for (index, key) in keys.enumerated() {
            let (first, second) = (sortValues[left][index], sortValues[right][index])
            if key.field.isNumber ? first.number == second.number : first.text == second.text { continue }
            let isLess =
                key.field.isNumber
                ? first.number < second.number : first.text.utf8.lexicographicallyPrecedes(second.text.utf8)
            return isLess != key.isDescending
        }
        return left < right
    }
}

extension DMSetupSession {
    /// The columns of the report that a command makes; `nil` where it makes none.
    func reportFields(for command: DMSetupCommand) -> String? {
        let isSplit = command.name == "splitname"
        // The commands of statistics make their reports themselves.
        guard options.has("columns") || isSplit, command.name != "stats" else { return nil }
        let usual = isSplit ? "vg_name,lv_name,lv_layer" : "name,major,minor,attr,open,segments,events,uuid"
        guard let text = options.text("options") else { return usual }
        return text.hasPrefix("+") ? "\(usual),\(text.dropFirst())" : text
    }
}
