#if Images
import Testing

@testable import Images

@Suite struct ImageNamesTests {
    private let one = ContentDigest(of: [1])
    private let two = ContentDigest(of: [2])

    private func names(_ names: ImageNames) -> [String: [String: String]] {
        guard case .object(let repositories) = names.content["Repositories"] else { return [:] }
        return repositories.mapValues { value in
            guard case .object(let names) = value else { return [:] }
            return names.mapValues { $0.text ?? "" }
        }
    }

    @Test func addsMovesAndRemovesNames() {
        var all = ImageNames(nil)
        all.add("app:1", to: one)
        all.add("app:2", to: one)
        all.add("host:5000/app:1", to: one)
        all.add("app:1", to: two)
        #expect(
            names(all) == [
                "app": ["app:1": "\(two)", "app:2": "\(one)"], "host:5000/app": ["host:5000/app:1": "\(one)"],
            ])
        all.remove { name, _ in name == "app:1" }
        #expect(names(all)["app"] == ["app:2": "\(one)"])
        all.remove { _, image in image == "\(one)" }
        #expect(names(all) == [:])
    }

    /// Fields that a newer Docker may have written stay.
    @Test func keepsWhatItDoesNotKnow() {
        var all = ImageNames(.object(["Repositories": .object(["a": .text("?")]), "New": .integer(1)]))
        all.add("app:1", to: one)
        all.remove { name, _ in name == "app:1" }
        #expect(all.content == .object(["Repositories": .object(["a": .text("?")]), "New": .integer(1)]))
    }
}
#endif
