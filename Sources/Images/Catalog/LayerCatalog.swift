#if Images
internal import LayerStore
internal import SystemPackage

/// Docker's records of the layers of images.
struct LayerCatalog {
    private let folders: ImageFolders

    init(_ folders: ImageFolders) {
        self.folders = folders
    }

    /// Finds a layer.
    ///
    /// - Parameters:
    ///   - chain: The id of the chain that ends with the layer.
    ///   - digest: The digest that the layer's archive must have.
    ///   - parent: The id of the chain below.
    func layer(
        _ chain: ContentDigest, _ digest: ContentDigest, on parent: ContentDigest?
    ) throws(ImageError) -> StoredLayer {
        do {
            let folder = folders.layer(chain)
            let recorded = try ImageFile.line(folder.appending("diff"))
            guard recorded == digest.description else {
                throw ImageError(.damaged, "\(folder)/diff is \(recorded), where the image has \(digest)")
            }
            return StoredLayer(
                chain: chain, digest: digest, content: try content(of: chain), parent: try parent.map(content),
                // It is shown only, and no reason to lose the layer.
                size: try ImageFile.readIfThere(folder.appending("size")).flatMap { Int64(ImageFile.text($0)) } ?? 0,
                tarSplit: folder.appending("tar-split.json.gz"))
        } catch let error as ImageError {
            throw error
        } catch {
            throw ImageError(.damaged, "\(error)")
        }
    }

    /// The layer of the store that has the content of a chain.
    func content(of chain: ContentDigest) throws -> LayerID {
        let path = folders.layer(chain).appending("cache-id")
        let name = try ImageFile.line(path)
        do {
            return try LayerID(name)
        } catch {
            throw ImageError(.damaged, "\(path) has “\(name)”, which is no id of a layer")
        }
    }
}
#endif
