internal import LayerStore

/// The state of a layer that a command took down, in JSON.
struct ReleaseJSON: Encodable {
    let id: String
    let state: String
    /// The processes that keep the layer in use.
    let users: [LayerUserJSON]?

    /// - Parameter done: The state of a layer that is down.
    init(_ id: LayerID, _ release: LayerRelease, done: String) {
        self.id = id.text
        switch release {
        case .done: (state, users) = (done, nil)
        case .absent: (state, users) = ("absent", nil)
        case .deferred(let users): (state, self.users) = ("deferred", users.map(LayerUserJSON.init))
        }
    }
}

/// A user of a layer in JSON.
struct LayerUserJSON: Encodable {
    let kind: String
    let pid: Int?
    let name: String
    let path: String?

    init(_ user: LayerUser) {
        kind = user.kind.rawValue
        pid = user.processID
        name = user.name
        path = user.path
    }
}
