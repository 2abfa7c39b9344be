internal import SystemCalls
internal import SystemPackage

/// Tells a user without the rights of root how to get them.
enum Privileges {
    /// The end of a message about a failure: nothing where root could not do more.
    ///
    /// The errors of all libraries have the words of the error number in their messages.
    static func advice(about message: String) -> String {
        let refusals = ["\(Errno.permissionDenied)", "\(Errno.notPermitted)"]
        guard geteuid() != 0, refusals.contains(where: message.contains), !message.contains("as root") else {
            return ""
        }
        return "; run it as root"
    }
}
