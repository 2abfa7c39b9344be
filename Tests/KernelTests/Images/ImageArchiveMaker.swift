#if Images
import Images
import LayerArchive
import SystemPackage
import TestSupport

/// Makes archives of images, whole ones and broken ones.
struct ImageArchiveMaker {
    /// An archive of images before it is written: its files and links, which a test may break.
    struct Parts {
        var files: [(name: String, content: [UInt8])] = []
        var links: [(name: String, target: String)] = []

        subscript(_ name: String) -> String? {
            get { files.first { $0.name == name }.map { String(decoding: $0.content, as: UTF8.self) } }
            set {
                files.removeAll { $0.name == name }
                if let newValue { files.append((name, Array(newValue.utf8))) }
            }
        }

        /// Replaces a text in a file.
        mutating func replace(_ text: String, with other: String, in name: String) {
            self[name] = self[name]?.replacing(text, with: other)
        }
    }

    let folder: FilePath

    /// Makes the archive of a layer with GNU tar.
    ///
    /// - Parameters:
    ///   - commands: They make the files, in an empty folder.
    ///   - options: How tar writes the archive; only its format pax has extended attributes.
    func layer(_ commands: String, tar options: String = "--xattrs --xattrs-include='*'") throws -> [UInt8] {
        try Shell.run(
            """
            set -e
            rm -rf '\(folder)/tree'; mkdir '\(folder)/tree'; cd '\(folder)/tree'
            \(commands)
            tar --numeric-owner \(options) -cf '\(folder)/layer.tar' .
            """)
        return try bytes("\(folder)/layer.tar")
    }

    /// Passes bytes through a program.
    func passing(_ content: [UInt8], through program: String) throws -> [UInt8] {
        try write(content, to: folder.appending("in"))
        try Shell.run("{ \(program); } < '\(folder)/in' > '\(folder)/out'")
        return try bytes("\(folder)/out")
    }

    /// The configuration of an image.
    func configuration(_ layers: [[UInt8]], _ more: String = "") -> String {
        let digests = layers.map { "\"\(ContentDigest(of: $0))\"" }.joined(separator: ",")
        return #"{"architecture":"amd64","config":{"Cmd":["sh"]},"os":"linux","#
            + #"\#(more)"rootfs":{"diff_ids":[\#(digests)],"type":"layers"}}"#
    }

    /// An archive in Docker's form.
    func docker(_ name: String, _ layers: [[UInt8]]) -> Parts {
        var parts = Parts()
        let configuration = configuration(layers)
        let id = ContentDigest(of: Array(configuration.utf8)).hexadecimal
        for (number, layer) in layers.enumerated() { parts.files.append(("\(number)/layer.tar", layer)) }
        let names = layers.indices.map { "\"\($0)/layer.tar\"" }.joined(separator: ",")
        parts["\(id).json"] = configuration
        parts["manifest.json"] = #"[{"Config":"\#(id).json","RepoTags":["\#(name)"],"Layers":[\#(names)]}]"#
        return parts
    }

    /// An OCI image layout.
    ///
    /// - Parameter stored: The archives of the layers as they are stored, compressed perhaps.
    func layout(_ name: String, _ layers: [[UInt8]], stored: [[UInt8]]) -> Parts {
        var parts = Parts()
        func add(_ content: [UInt8], _ type: String) -> String {
            let digest = ContentDigest(of: content)
            parts.files.append(("blobs/sha256/\(digest.hexadecimal)", content))
            return #"{"mediaType":"application/vnd.oci.image.\#(type)","digest":"\#(digest)","size":\#(content.count)}"#
        }
        let blobs = stored.map { add($0, "layer.v1.tar") }.joined(separator: ",")
        let configuration = add(Array(configuration(layers).utf8), "config.v1+json")
        let manifest = #"{"schemaVersion":2,"config":\#(configuration),"layers":[\#(blobs)]}"#
        let entry = add(Array(manifest.utf8), "manifest.v1+json").dropLast()
        let names = #""annotations":{"io.containerd.image.name":"\#(name)"}"#
        parts["oci-layout"] = #"{"imageLayoutVersion":"1.0.0"}"#
        parts["index.json"] = #"{"schemaVersion":2,"manifests":[\#(entry),\#(names)}]}"#
        return parts
    }

    /// Writes an archive.
    func write(_ parts: Parts, as name: String = "images.tar") throws -> FilePath {
        let path = folder.appending(name)
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .truncate], permissions: [.ownerReadWrite])
        try file.closeAfter {
            let writer = TarWriter(file)
            for (name, content) in parts.files {
                var entry = TarEntry(path: Array(name.utf8), kind: .file, permissions: 0o644)
                entry.size = Int64(content.count)
                try writer.append(entry)
                try writer.write(content.span)
            }
            for (name, target) in parts.links {
                var entry = TarEntry(path: Array(name.utf8), kind: .symbolicLink, permissions: 0o777)
                entry.linkTarget = Array(target.utf8)
                try writer.append(entry)
            }
            try writer.finish()
        }
        return path
    }

    private func bytes(_ path: String) throws -> [UInt8] {
        let file = try FileDescriptor.open(FilePath(path), .readOnly)
        return try file.closeAfter {
            var content: [UInt8] = []
            var before = -1
            while content.count > before {
                before = content.count
                try content.append(addingCapacity: 1 << 20) { (free) throws(Errno) in try file.read(into: &free) }
            }
            return content
        }
    }

    private func write(_ content: [UInt8], to path: FilePath) throws {
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .truncate], permissions: [.ownerReadWrite])
        _ = try file.closeAfter { try file.writeAll(content) }
    }
}
#endif
