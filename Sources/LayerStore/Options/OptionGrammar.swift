/// The values that a storage option can have.
struct OptionGrammar<Value: Sendable>: Sendable {
    /// The grammar as a person reads it, such as `SIZE` or `true|false`.
    let words: String
    /// Reads a value.
    let read: @Sendable (OptionValue) throws(LayerStoreError) -> Value

    init(_ words: String, _ read: @escaping @Sendable (OptionValue) throws(LayerStoreError) -> Value) {
        self.words = words
        self.read = read
    }
}

extension OptionGrammar where Value == UInt64 {
    static var size: Self { Self("SIZE") { value throws(LayerStoreError) in try value.size() } }
    static var blockSize: Self { Self("SIZE") { value throws(LayerStoreError) in try value.blockSize() } }
    static var count: Self { Self("NUMBER") { value throws(LayerStoreError) in try value.count() } }
}

extension OptionGrammar where Value == Bool {
    static var truth: Self { Self("true|false") { value throws(LayerStoreError) in try value.boolean() } }
}

extension OptionGrammar where Value == String {
    static var text: Self { Self("TEXT") { value throws(LayerStoreError) in try value.nonEmpty() } }
    static var device: Self { Self("DEVICE") { value throws(LayerStoreError) in try value.nonEmpty() } }
}

extension OptionGrammar where Value == StorageOptions.Filesystem {
    static var filesystem: Self { Self("ext4|xfs") { value throws(LayerStoreError) in try value.filesystem() } }
}

extension OptionGrammar where Value == Int {
    static func number(_ range: ClosedRange<Int>) -> Self {
        Self("\(range.lowerBound)-\(range.upperBound)") { value throws(LayerStoreError) in try value.integer(range) }
    }

    static func percent(_ range: ClosedRange<Int>, isSignRequired: Bool = false) -> Self {
        Self(isSignRequired ? "PERCENT%" : "PERCENT") { value throws(LayerStoreError) in
            try value.percent(range, isSignRequired: isSignRequired)
        }
    }
}
