import Glibc

/// The arguments of `scripts/stress`, without the options of the sandbox.
struct StressOptions {
    static let usage = """
        usage: scripts/stress [--seed NUMBER] [--rounds COUNT | --minutes COUNT] [--first-round NUMBER] [--processes COUNT]
                              [--threads COUNT] [--trials COUNT] [--pairs LIST] [--layers ext4|xfs] [--root ext4|xfs]
                              [--limit SECONDS] [--kernel VERSION] [--cpus COUNT] [--memory SIZE]

        Starts every two operations on a store at once, in threads and in processes, and compares what they answer and leave
        with a model.

          --seed NUMBER         the seed of the random numbers; the time if not given
          --rounds COUNT        how many rounds (default 4)
          --minutes COUNT       rounds until this time is over
          --first-round NUMBER  the number of the first round, to repeat one (default 0)
          --processes COUNT     processes at once (default 2)
          --threads COUNT       threads in each, with a pair of operations each (default 2)
          --trials COUNT        pairs that each thread starts in a round (default 25)
          --pairs LIST          only these, such as “remove/*/same,create/create”
          --layers TYPE         the file system of the layers (default ext4)
          --root TYPE           the file system that the store is on (default ext4)
          --limit SECONDS       how long an operation may take (default 90), a third of it waiting
          --kernel VERSION      the sandbox's kernel (default 6.1)
          --cpus COUNT          the processors of the sandbox; one, on User-Mode Linux, if not given
          --memory SIZE         the memory of the sandbox (default 2G)
        """

    /// A call that is not understood.
    struct UsageError: Error {
        let message: String
    }

    var seed = UInt64(time(nil))
    var rounds = 4
    var minutes: Int?
    var firstRound = 0
    var processes = 2
    var threads = 2
    var trials = 25
    var pairs = "*"
    var layers = "ext4"
    var limit = 90

    init(_ arguments: [String]) throws(UsageError) {
        var rest = arguments[...]
        while let option = rest.popFirst() {
            guard let value = rest.popFirst() else { throw UsageError(message: "stress: \(option) wants a value") }
            switch option {
            case "--seed": seed = UInt64(try Self.number(value, atLeast: 0))
            case "--rounds": rounds = try Self.number(value)
            case "--minutes": minutes = try Self.number(value)
            case "--first-round": firstRound = try Self.number(value, atLeast: 0)
            case "--processes": processes = try Self.number(value)
            case "--threads": threads = try Self.number(value)
            case "--trials": trials = try Self.number(value)
            case "--limit": limit = try Self.number(value)
            case "--pairs":
                pairs = value
                guard !Pair.matching(value).isEmpty else { throw UsageError(message: "stress: no pair is \(value)") }
            case "--layers":
                layers = value
                guard ["ext4", "xfs"].contains(value) else {
                    throw UsageError(message: "stress: no layers of \(value)")
                }
            default: throw UsageError(message: "stress: there is no option \(option)\n\(Self.usage)")
            }
        }
    }

    private static func number(_ text: String, atLeast least: Int = 1) throws(UsageError) -> Int {
        guard let number = Int(text), number >= least else {
            throw UsageError(message: "stress: “\(text)” is no number of \(least) or more")
        }
        return number
    }
}
