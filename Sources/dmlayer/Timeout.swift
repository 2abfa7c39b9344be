internal import ArgumentParser

/// A time in seconds, with or without a fraction.
struct Timeout: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        let aMonth = 2_678_400.0
        guard let seconds = Double(argument), seconds >= 0, seconds <= aMonth else { return nil }
        duration = .seconds(seconds)
    }
}
