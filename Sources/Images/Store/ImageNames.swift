#if Images
/// The names of images, as Docker's file `repositories.json` has them.
struct ImageNames {
    private static let key = "Repositories"

    private var document: JSON

    /// Takes the document; `nil` stands for a file that is not there.
    init(_ document: JSON?) {
        self.document = document ?? .object([Self.key: .object([:])])
    }

    /// The document, to be written.
    var content: JSON { document }

    /// Gives a name with a tag to an image, and takes it from the one that had it.
    mutating func add(_ name: String, to image: ContentDigest) {
        let repository = ImageReferences.parts(of: name).repository
        let names = document[Self.key]?[repository] ?? .object([:])
        set(repository, names.setting(name, .text("\(image)")))
    }

    /// Takes names, with tags or digests, away.
    mutating func remove(_ isRemoved: (_ name: String, _ image: String) -> Bool) {
        guard case .object(let repositories) = document[Self.key] else { return }
        for (repository, names) in repositories {
            guard case .object(let names) = names else { continue }
            let kept = names.filter { !isRemoved($0.key, $0.value.text ?? "") }
            set(repository, kept.isEmpty ? nil : .object(kept))
        }
    }

    private mutating func set(_ repository: String, _ names: JSON?) {
        guard case .object(var repositories) = document[Self.key] ?? .object([:]) else { return }
        repositories[repository] = names
        document = document.setting(Self.key, .object(repositories))
    }
}
#endif
