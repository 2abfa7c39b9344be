/// A storage option: its name, its grammar, its default, and where a store keeps it.
///
/// To add an option, add a field to ``StorageOptions`` and a row to ``all``. An option that a store keeps also needs a field
/// of ``StoreConfiguration``.
package struct StorageOption: Sendable {
    /// Where a store keeps the value of an option, and when the value can change.
    enum Place: Sendable {
        /// `init` keeps the value, and a later `init` can change it. Any other command uses another value for itself only.
        case kept(@Sendable (StorageOptions, inout StoreConfiguration) -> Void)
        /// `init` keeps the value, and a later `init` can change it. Any other command refuses another value.
        ///
        /// `value` is `nil` where the pool itself has the setting, and the store does not keep it.
        case keptByInitOnly(
            @Sendable (StorageOptions, inout StoreConfiguration) -> Void,
            value: @Sendable (StoreConfiguration) -> String?)
        /// The first `init` fixes the value for the life of the store. Every command refuses another value.
        ///
        /// `advice` says what to do when the store was made with another value.
        case fixed(value: @Sendable (StoreConfiguration) -> String?, advice: String? = nil)
        /// The first `init` fixes the value, together with those of all other options of direct-lvm.
        case fixedWithDirectLVM
        /// The first `init` makes something of this size, and a later `init` makes it larger.
        case growing
        /// Only the first `init` uses the value.
        case used
        /// The option has no effect, and is accepted because Docker has it.
        case ignored
    }

    /// The name of the option, such as `dm.basesize`.
    package let key: String
    /// The values that the option can have, as a person reads them: `SIZE`, `true|false`.
    package let grammar: String
    /// The value that a store has without the option, in the grammar of the option or in words; `nil` for none.
    package let standard: String?
    /// The meaning of the option: one line that begins in lower case and has no full stop.
    package let meaning: String
    let place: Place
    /// Reads a value and stores it.
    let take: @Sendable (OptionValue, inout StorageOptions) throws(LayerStoreError) -> Void
    /// The values that were given, as messages show them.
    let given: @Sendable (StorageOptions) -> [String]
    /// Why a given value has no effect on a store with this pool; `nil` when it has one.
    let reasonWithoutEffect: @Sendable (PoolSource, _ isComplete: Bool) -> String?

    /// When the value can change, in words.
    package var change: String {
        switch place {
        case .kept: "any time, for one command or with init"
        case .keptByInitOnly: "with init"
        case .fixed, .fixedWithDirectLVM: "never"
        case .growing: "larger, with init"
        case .used: "never, read by the first init only"
        case .ignored: "no effect"
        }
    }

    /// Makes a row for an option that is given at most once; a later value replaces an earlier one.
    init<Value>(
        _ key: String, _ grammar: OptionGrammar<Value>,
        _ field: any WritableKeyPath<StorageOptions, Value?> & Sendable, standard: String? = nil, _ place: Place,
        _ meaning: String, withoutEffect: @escaping @Sendable (PoolSource, Bool) -> String? = { _, _ in nil }
    ) {
        self.key = key
        self.grammar = grammar.words
        self.standard = standard
        self.meaning = meaning
        self.place = place
        take = { value, options throws(LayerStoreError) in options[keyPath: field] = try grammar.read(value) }
        given = { options in options[keyPath: field].map { ["\($0)"] } ?? [] }
        reasonWithoutEffect = withoutEffect
    }

    /// Makes a row for an option that can be given several times; the values add up.
    init(
        _ key: String, adding grammar: OptionGrammar<String>,
        to field: any WritableKeyPath<StorageOptions, [String]> & Sendable, _ place: Place, _ meaning: String,
        withoutEffect: @escaping @Sendable (PoolSource, Bool) -> String? = { _, _ in nil }
    ) {
        self.key = key
        self.grammar = grammar.words
        standard = nil
        self.meaning = meaning
        self.place = place
        take = { value, options throws(LayerStoreError) in options[keyPath: field].append(try grammar.read(value)) }
        given = { options in options[keyPath: field] }
        reasonWithoutEffect = withoutEffect
    }
}

extension StorageOption.Place {
    /// The option is kept in a field of the configuration that is `nil` without it.
    static func kept<Value>(
        _ option: any KeyPath<StorageOptions, Value?> & Sendable,
        in field: any WritableKeyPath<StoreConfiguration, Value?> & Sendable
    ) -> Self {
        .kept { options, kept in
            if let value = options[keyPath: option] { kept[keyPath: field] = value }
        }
    }
}
