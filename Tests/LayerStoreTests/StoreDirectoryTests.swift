import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import LayerStore

/// The directories of a root, and their owners.
struct StoreDirectoryTests {
    let scratch: ScratchDirectory
    let root: FilePath

    init() throws {
        scratch = try ScratchDirectory()
        root = scratch.appending("root")
    }

    @discardableResult
    private func make(_ owner: String? = nil) throws -> StoreDirectory {
        var made: [FilePath] = []
        return try StoreDirectory(making: root, owner: owner.flatMap { LayerOwner($0) }, noting: &made)
    }

    private func owners() throws -> [String] {
        try Shell.run("cd '\(root)' && stat -c '%n %u:%g %a' . mnt metadata devicemapper").split(separator: "\n")
            .map(String.init)
    }

    /// The owner of the layers can pass through the root, and can rename and link nothing in it.
    @Test(.enabled(if: geteuid() == 0, "needs the rights of root")) func keepsTheDirectoriesForRoot() throws {
        try make("100000:100001")
        #expect(
            try owners() == [". 0:100001 710", "mnt 0:0 755", "metadata 0:0 700", "devicemapper 0:0 700"])
    }

    /// Earlier versions gave the root and the mount points away, as Docker did.
    @Test(.enabled(if: geteuid() == 0, "needs the rights of root")) func takesBackWhatAnEarlierVersionGaveAway() throws
    {
        try make()
        try Shell.run("chown 100000:100001 '\(root)' '\(root)/mnt' && chmod 777 '\(root)/mnt'")
        try make()
        #expect(
            try owners() == [". 0:100001 710", "mnt 0:100001 755", "metadata 0:0 700", "devicemapper 0:0 700"])
    }

    /// The former owner may have put links in the place of directories.
    @Test(
        .enabled(if: geteuid() == 0, "needs the rights of root"), arguments: ["mnt", "metadata", "devicemapper"])
    func findsLinksOfTheFormerOwner(name: String) throws {
        try make()
        try Shell.run(
            "chown 100000:100001 '\(root)' && rmdir '\(root)/\(name)' && mkdir '\(scratch.path)/x' && ln -s ../x '\(root)/\(name)'"
        )
        #expect { try make() } throws: {
            "\($0)".contains("\(root)/\(name) is a symbolic link, which is not followed here; remove it")
        }
    }

    @Test func followsNoLinkInThePlaceOfAMountPoint() throws {
        let directory = try make()
        let id = try LayerID("layer")
        try directory.makeMountPoint(of: id)
        try directory.makeMountPoint(of: id)
        directory.removeMountPoint(of: id)
        try Shell.run("mkdir '\(scratch.path)/victim' && ln -s '\(scratch.path)/victim' '\(root)/mnt/layer'")
        #expect { try directory.makeMountPoint(of: id) } throws: { "\($0)".contains("is a symbolic link") }
        directory.removeMountPoint(of: id)
        #expect(try Shell.run("ls -A '\(root)/mnt'") == "layer")
        // Nor a link in the place of the directory of mount points.
        try Shell.run(
            "rm '\(root)/mnt/layer' && rmdir '\(root)/mnt' && mkdir '\(scratch.path)/victim/layer' "
                + "&& ln -s '\(scratch.path)/victim' '\(root)/mnt'")
        #expect { try directory.makeMountPoint(of: id) } throws: { "\($0)".contains("is a symbolic link") }
        directory.removeMountPoint(of: id)
        #expect(try Shell.run("ls -A '\(scratch.path)/victim'") == "layer")
    }

    @Test func followsNoLinkInThePlaceOfTheContent() throws {
        let content = scratch.appending("rootfs")
        try StoreDirectory.makeContent(content, owner: nil)
        try StoreDirectory.makeContent(content, owner: nil)
        try Shell.run("rmdir '\(content)' && mkdir '\(scratch.path)/victim' && ln -s victim '\(content)'")
        #expect { try StoreDirectory.makeContent(content, owner: nil) } throws: { "\($0)".contains("symbolic link") }
    }
}
