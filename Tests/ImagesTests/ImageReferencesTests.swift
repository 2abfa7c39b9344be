#if Images
import Testing

@testable import Images

@Suite struct ImageReferencesTests {
    @Test(arguments: [
        "alpine:3", "a:1", "fixture/base:1", "localhost/app:latest", "registry.example.org:5000/a/b_c-d.e:V1.0-rc_1",
        "a__b:1", "a--b:1", "1/2:3", "[fe80::1]:5000/app:1",
    ])
    func takesNames(_ name: String) {
        #expect(ImageReferences.isTagged(name))
    }

    @Test(arguments: [
        "", ":", "alpine", "alpine:", ":1", "Alpine:1", "a b:1", "../x:1", "a/../b:1", "a//b:1", "/a:1", "a/:1", "-a:1",
        "a-:1", "a..b:1", "a:.1", "a:-1", "a:1/2", "a:\u{1b}[31m", "a\u{0}:1", "ä:1", "a@sha256:1",
        "a:" + String(repeating: "1", count: 129), String(repeating: "a", count: 600) + ":1",
    ])
    func refusesOthers(_ name: String) {
        #expect(!ImageReferences.isTagged(name))
    }

    @Test func shortensNamesAsDockerDoes() {
        #expect(ImageReferences.familiar("docker.io/library/alpine:3") == "alpine:3")
        #expect(ImageReferences.familiar("docker.io/fixture/base:1") == "fixture/base:1")
        #expect(ImageReferences.familiar("localhost/app:1") == "localhost/app:1")
    }
}
#endif
