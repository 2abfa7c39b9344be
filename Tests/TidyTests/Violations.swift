import Testing

/// Compares what a rule found with the exceptions to it, and lets the test fail about each difference.
///
/// An exception that the tree no longer needs fails too, so that the lists get shorter.
func expect(
    _ found: Set<String>, onlyIn exceptions: Set<String>, _ rule: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    for violation in found.subtracting(exceptions).sorted() {
        Issue.record("\(violation): \(rule)", sourceLocation: sourceLocation)
    }
    for exception in exceptions.subtracting(found).sorted() {
        Issue.record("\(exception): take it out of the exceptions, it keeps the rule", sourceLocation: sourceLocation)
    }
}
