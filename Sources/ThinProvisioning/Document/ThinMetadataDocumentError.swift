/// A description of metadata in XML that cannot be taken.
public struct ThinMetadataDocumentError: Error, CustomStringConvertible {
    /// The line in which the reading ended, from 1 on; `nil` where the document could not be read.
    public let line: Int?
    /// The fault, as a sentence without a full stop.
    public let detail: String
    /// The error of the visitor, if it is the visitor that refused the content.
    public let underlying: (any Error)?

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(line: Int?, _ detail: String, underlying: (any Error)? = nil) {
        self.line = line
        self.detail = detail
        self.underlying = underlying
    }

    /// Where and what.
    public var description: String { (line.map { "line \($0): " } ?? "") + detail }
}
