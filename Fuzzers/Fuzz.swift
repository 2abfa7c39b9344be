import Glibc

/// Something that takes bytes from outside and must not trap, whatever they are.
struct FuzzTarget: Sendable {
    let name: String
    /// Takes the bytes in, and stops the process where a promise is broken.
    let run: @Sendable ([UInt8]) -> Void

    static let all: [FuzzTarget] = [
        .answers, .daemon, .databases, .documents, .frames, .identifiers, .images, .labels, .metadata, .mounts,
        .options, .records, .repairs,
        .status, .superblocks, .tables, .tar, .volumes,
    ]

    /// The one that `FUZZ_TARGET` names.
    static let chosen: FuzzTarget = {
        let name = unsafe getenv("FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
        guard let target = all.first(where: { $0.name == name }) else {
            print("FUZZ_TARGET must be one of: \(all.map(\.name).joined(separator: " "))")
            exit(64)
        }
        return target
    }()
}

/// The function that libFuzzer calls with one input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe FuzzTarget.chosen.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

/// Hands the program over to libFuzzer.
@main struct Fuzz {
    static func main() {
        var (count, arguments) = unsafe (CommandLine.argc, CommandLine.unsafeArgv)
        exit(unsafe runFuzzer(&count, &arguments, fuzzOneInput))
    }
}

/// libFuzzer's own entry, which has no header that a package could find.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// Stops the process, which libFuzzer reports with the input, where a promise does not hold.
func demand(_ holds: Bool, _ promise: @autoclosure () -> String) {
    if holds { return }
    print("BROKEN: \(promise())")
    abort()
}

/// Runs what may refuse its input, and demands that the refusal says something.
@discardableResult
func accepting<Result, Failure: Error>(_ body: () throws(Failure) -> Result) -> Result? {
    do {
        return try body()
    } catch {
        demand("\(error)".utf8.count > 8, "an input is refused with “\(error)” and no more")
        return nil
    }
}

/// Takes an input apart.
struct InputReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isEmpty: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    mutating func number(_ bytes: Int) -> UInt64 { (0..<bytes).reduce(0) { value, _ in value << 8 | UInt64(byte()) } }

    mutating func remaining() -> [UInt8] {
        defer { rest = [] }
        return Array(rest)
    }
}
