package import SystemPackage

/// Makes a system call that answers -1 and sets `errno` when it fails.
///
/// A call that a signal interrupted is made again.
///
/// - Parameter call: The call; it must not do anything else that could change `errno`.
/// - Returns: The result of the call.
/// - Throws: The error number.
@discardableResult
package func systemCall<Answer: FixedWidthInteger>(_ call: () -> Answer) throws(Errno) -> Answer {
    while true {
        do {
            return try interruptibleCall(call)
        } catch {
            guard error == .interrupted else { throw error }
        }
    }
}

/// Makes a system call that answers -1 and sets `errno` when it fails, and does not make it again after a signal.
///
/// It is for a call with a time limit: the caller has to find out how much time is left.
///
/// - Parameter call: The call; it must not do anything else that could change `errno`.
/// - Returns: The result of the call.
/// - Throws: The error number, `EINTR` among others.
package func interruptibleCall<Answer: FixedWidthInteger>(_ call: () -> Answer) throws(Errno) -> Answer {
    let answer = call()
    guard answer == -1 else { return answer }
    throw Errno(rawValue: errno)
}

/// Makes a call that answers a null pointer and sets `errno` when it fails.
///
/// - Returns: `nil` only where the call answered a null pointer without an error, as `readdir` does at the end.
/// - Throws: The error number.
@unsafe package func pointerCall<Answer>(_ call: () -> Answer?) throws(Errno) -> Answer? {
    errno = 0
    if let answer = call() { return answer }
    guard errno != 0 else { return nil }
    throw Errno(rawValue: errno)
}

/// Checks the answer of a function of `CShims`, all of which answer 0 or the error number.
///
/// - Throws: The error number.
package func requireSuccess(_ errorNumber: CInt) throws(Errno) {
    guard errorNumber == 0 else { throw Errno(rawValue: errorNumber) }
}
