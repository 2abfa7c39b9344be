import TestSupport
import Testing

/// A root of Docker's that is only looked at.
@Suite(.serialized) struct DockerRootReadOnlyTests {
    private func digest(_ fixture: DockerRootFixture) throws -> String {
        try Shell.run(
            """
            cd '\(fixture.root)' && find . -printf '%p %m %U:%G %s %T@\n' | sort
            find . -type f -exec sha256sum {} + | sort
            """)
    }

    /// Not a byte is written, so that the root may lie on a file system that is read-only.
    @Test func showsEveryLayerAndWritesNothing() throws {
        let fixture = try DockerRootFixture(hasContent: true)
        let before = try digest(fixture)
        try Shell.run("mount --bind '\(fixture.root)' '\(fixture.root)' && mount -o remount,bind,ro '\(fixture.root)'")
        defer { _ = try? Shell.run("umount -l '\(fixture.root)'") }
        let layers = try Shell.run("ls '\(fixture.metadata)' | grep -v -e -metadata -e base").split(separator: "\n")
        #expect(layers.count == DockerRootFixture.deviceCount - 1)
        for layer in layers {
            let content = try fixture.run("--read-only mount \(layer)")
            #expect(content.hasPrefix("/run/dmlayer/"))
            let device = String(content.dropLast("/rootfs".count))
            #expect(try fixture.difference(of: String(layer), at: device).isEmpty)
            #expect(try Shell.runForStatus("touch '\(content)/x'").status != 0)
            try fixture.run("--read-only unmount \(layer)")
        }
        #expect(try fixture.run("--read-only info").contains("Data Space Used: "))
        for arguments in ["create x", "remove \(layers[0])", "resize base 20g", "trim"] {
            let (status, output) = try fixture.runForStatus("--read-only \(arguments)")
            #expect(status == 1)
            #expect(output.contains("the store was opened for reading only"), "\(output)")
        }
        #expect(try digest(fixture) == before)
        try Shell.run("mount -o remount,bind,rw '\(fixture.root)'")
        // A pool that is active for reading only is not taken for one that can be written.
        #expect(try fixture.runForStatus("mount \(layers[0])").output.contains("is active for reading only"))
        try fixture.run("--read-only shutdown")
        #expect(try Shell.run("dmsetup ls | grep -c docker- || true") == "0")
    }
}
