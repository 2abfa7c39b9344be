import SystemPackage
import TestSupport

/// An image of two layers, as `docker save` writes it, with busybox.
struct TestImage {
    static let folder: FilePath = "/run/image"
    /// The archive of the image, whose name is `example.org/test:1`.
    static let archive: FilePath = "/run/image/image.tar"
    /// The archive of its first layer.
    static let firstLayer: FilePath = "/run/image/tar/1.tar"

    /// Makes the image; its first layer has these programs of busybox.
    static func make(_ applets: [String]) throws {
        try Shell.run(
            """
            set -e
            cd /run && mkdir -p image/1/bin image/1/etc image/2/etc image/tar && cd image
            cp /run/kernel/busybox 1/bin/busybox
            for applet in \(applets.joined(separator: " ")); do ln -s busybox "1/bin/$applet"; done
            echo one > 1/etc/version
            echo two > 2/etc/version
            for number in 1 2; do tar -C $number -cf tar/$number.tar .; done
            """)
        func digest(_ file: String) throws -> String {
            String(try Shell.run("sha256sum '\(folder)/tar/\(file)'").prefix { $0 != " " })
        }
        try TextFile.write(
            """
            {"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin"],"Cmd":["sh"]},
            "rootfs":{"type":"layers","diff_ids":["sha256:\(digest("1.tar"))","sha256:\(digest("2.tar"))"]}}
            """, to: folder.appending("tar/config.json"))
        try TextFile.write(
            #"[{"Config":"config.json","RepoTags":["example.org/test:1"],"Layers":["1.tar","2.tar"]}]"#,
            to: folder.appending("tar/manifest.json"))
        try Shell.run("tar -C '\(folder)/tar' -cf '\(archive)' .")
    }
}
