#if Images
/// Images that could not be read, written or taken in.
public struct ImageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of the failure, for a program to decide on.
    public enum Code: Hashable, Sendable {
        /// The root has no images.
        case noImages
        /// There is no image or container of this name or id.
        case notFound
        /// The beginning of an id fits more than one image or container.
        case ambiguous
        /// The text cannot be the name of an image.
        case invalidName
        /// A file of the images cannot be read or understood.
        case damaged
        /// A part of an image is missing or has another content than its digest says.
        case incomplete
        /// The archive, or a file of the images, could not be written.
        case output
        /// Another process changes the images.
        case busy
        /// A container of Docker's is made of the image.
        case inUse
    }

    /// The kind of the failure.
    public let code: Code
    /// The attempt, the reason of its failure, and the advice for a person.
    public let description: String

    /// Makes an error.
    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
#endif
