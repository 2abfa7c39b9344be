import LogicalVolumes
import Testing

@testable import LayerStore

/// The table of storage options agrees with what the store does.
struct StorageOptionTableTests {
    @Test func hasEachOptionOnce() {
        let keys = StorageOption.all.map(\.key)
        #expect(keys.count == 26)
        #expect(Set(keys).count == keys.count)
        for row in StorageOption.all {
            #expect(row.key.hasPrefix("dm.") && row.key == row.key.lowercased())
            #expect(!row.meaning.isEmpty && !row.meaning.hasSuffix(".") && row.meaning.first?.isUppercase == false)
            #expect(!row.grammar.isEmpty && !row.change.isEmpty)
        }
    }

    /// A value of each option's grammar.
    private func sample(of row: StorageOption) -> String {
        switch row.grammar {
        case "SIZE": "128k"
        case "NUMBER": "7"
        case "true|false": "true"
        case "TEXT": "text"
        case "DEVICE": "/dev/a"
        case "ext4|xfs": "xfs"
        case "PERCENT": "7"
        case "PERCENT%": "7%"
        case let range: String(range.prefix { $0 != "-" })
        }
    }

    /// Each row reads into a field of its own, and gives back what was read.
    @Test func readsEachOptionIntoAFieldOfItsOwn() throws {
        for row in StorageOption.all {
            var options = StorageOptions()
            #expect(row.given(options).isEmpty)
            try row.take(OptionValue(key: row.key, text: sample(of: row)), &options)
            #expect(options != StorageOptions(), "\(row.key)")
            #expect(StorageOption.all.filter { !$0.given(options).isEmpty }.map(\.key) == [row.key])
        }
    }

    /// A store that is made with every default of the table is a store that is made with no option.
    @Test func namesTheDefaults() throws {
        let none = StoreConfiguration(new: StorageOptions(), defaultFilesystem: .ext4)
        for row in StorageOption.all {
            guard let standard = row.standard, case .kept = row.place else { continue }
            var options = StorageOptions()
            // Two of them are in words.
            guard !standard.contains(" ") else { continue }
            try row.take(OptionValue(key: row.key, text: standard), &options)
            let made = StoreConfiguration(new: options, defaultFilesystem: .ext4)
            #expect(made.minimumFreeSpacePercent == none.minimumFreeSpacePercent, "\(row.key)")
            #expect(made.defersRemoval == none.defersRemoval && made.defersDeletion == none.defersDeletion)
            #expect(made.xfsNoSpaceRetryLimit == none.xfsNoSpaceRetryLimit, "\(row.key)")
        }
        func standard(_ key: String) throws -> String { try #require(StorageOption.named(key)?.standard) }
        #expect(ByteSize.parse(try standard("dm.basesize")) == none.baseSize)
        #expect(ByteSize.parse(try standard("dm.blocksize")) == none.blockSize)
        #expect(ByteSize.parse(try standard("dm.loopdatasize")) == none.pool.dataFileSize)
        #expect(ByteSize.parse(try standard("dm.loopmetadatasize")) == none.pool.metadataFileSize)
        let direct = try #require(try DirectLVMOptions(StorageOptions(parsing: ["dm.directlvm_device=/dev/a"])))
        #expect(Int(try standard("dm.thinp_percent")) == direct.layout.dataPercent)
        #expect(Int(try standard("dm.thinp_metapercent")) == direct.layout.metadataPercent)
        #expect(Int(try standard("dm.thinp_autoextend_threshold")) == direct.layout.autoextend.threshold)
        #expect(Int(try standard("dm.thinp_autoextend_percent")) == direct.layout.autoextend.percent)
    }

    /// Every option can be mistyped.
    @Test func suggestsEveryOption() {
        for row in StorageOption.all {
            #expect { _ = try StorageOptions(parsing: ["\(row.key)x=1"]) } throws: {
                "\($0)".contains("did you mean “\(row.key)”?")
            }
        }
    }

    /// The place of a row in the table decides how its option changes the configuration.
    @Test func keepsAndFixesWhatTheTableSays() throws {
        for row in StorageOption.all {
            var options = StorageOptions()
            try row.take(OptionValue(key: row.key, text: sample(of: row)), &options)
            var configuration = StoreConfiguration(new: StorageOptions(), defaultFilesystem: .ext4)
            let before = configuration
            configuration.adopt(options)
            let isRefused = (try? before.check(options)) == nil
            switch row.place {
            case .kept: #expect(configuration != before && !isRefused, "\(row.key)")
            case .keptByInitOnly: #expect(configuration != before && isRefused, "\(row.key)")
            case .fixed: #expect(configuration == before && isRefused, "\(row.key)")
            case .fixedWithDirectLVM, .growing, .used, .ignored:
                #expect(configuration == before && !isRefused, "\(row.key)")
            }
        }
    }
}
