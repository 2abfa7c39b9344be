#if Images
extension ImageCatalog {
    /// An image that a text names, with those of its tags that the text means.
    public struct Match: Sendable {
        /// The image.
        public let image: StoredImage
        /// The tags; none where the text is an id or a digest.
        public let tags: [String]

        /// Makes a match.
        public init(image: StoredImage, tags: [String]) {
            self.image = image
            self.tags = tags
        }
    }

    /// Finds images by a text, as `docker save` does.
    ///
    /// - Parameter text: A name with a tag or a digest; a name alone, which means all tags of it; an id or the beginning of
    ///   one.
    /// - Throws: ``ImageError/Code/notFound``, ``ImageError/Code/ambiguous``.
    public func matches(_ text: String) throws -> [Match] {
        let whole = ImageReferences.whole(text)
        if text.contains("@") {
            let image = images.first { $0.manifestDigests.contains { ImageReferences.whole($0) == whole } }
            guard let image else { throw notFound(text) }
            return [Match(image: image, tags: [])]
        }
        let hasTag = ImageReferences.parts(of: whole).tag != nil
        let named = images.compactMap { image -> Match? in
            let tags = image.tags.filter { tag in
                let name = ImageReferences.whole(tag)
                return hasTag ? name == whole : ImageReferences.parts(of: name).repository == whole
            }
            return tags.isEmpty ? nil : Match(image: image, tags: tags)
        }
        guard named.isEmpty else { return named }
        return [Match(image: try image(withIDBeginning: text), tags: [])]
    }

    /// Each image once, with the tags of all its matches.
    public static func merged(_ matches: [Match]) -> [Match] {
        var merged: [Match] = []
        for match in matches {
            if let index = merged.firstIndex(where: { $0.image.id == match.image.id }) {
                let more = match.tags.filter { !merged[index].tags.contains($0) }
                merged[index] = Match(image: match.image, tags: merged[index].tags + more)
            } else {
                merged.append(match)
            }
        }
        return merged
    }

    /// Finds one image by a text, as `docker inspect` does: a name without a tag means the tag `latest`.
    ///
    /// - Throws: ``ImageError/Code/notFound``, ``ImageError/Code/ambiguous``.
    public func image(_ text: String) throws -> StoredImage {
        let hasTag = ImageReferences.parts(of: text).tag != nil || text.contains("@")
        do {
            return try matches(hasTag ? text : text + ":latest")[0].image
        } catch let error as ImageError where error.code == .notFound {
            return try image(withIDBeginning: text)
        }
    }

    /// Finds one image by a text as ``image(_:)`` does, with the tag that the text means.
    func match(_ text: String) throws -> Match {
        let image = try image(text)
        let whole = ImageReferences.whole(ImageReferences.parts(of: text).tag == nil ? text + ":latest" : text)
        return Match(image: image, tags: image.tags.filter { ImageReferences.whole($0) == whole })
    }

    private func image(withIDBeginning text: String) throws -> StoredImage {
        let digits = text.hasPrefix("sha256:") ? String(text.dropFirst("sha256:".count)) : text
        let found = images.filter { !digits.isEmpty && $0.id.hexadecimal.hasPrefix(digits) }
        guard let image = found.first else { throw notFound(text) }
        guard found.count == 1 else {
            throw ImageError(
                .ambiguous, "\(found.count) images have ids that begin with \(text); give more of its digits")
        }
        return image
    }

    private func notFound(_ text: String) -> ImageError {
        ImageError(.notFound, "there is no image \(text) in \(folders.images); “dmlayer image list --all” shows all")
    }
}
#endif
