public import SystemPackage

/// The folder of this project, with its fixtures and scripts.
public enum ProjectFolder {
    /// The folder's absolute path, as it was when the tests were built.
    public static let path = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
}
