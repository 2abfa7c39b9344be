/// A walk of a tree of mappings that can pass over what is below a node.
private struct MappingCursor {
    /// A node that has not been read.
    struct Subtree {
        let block: UInt64
        /// The key of the node in the node above it; nothing below is lower.
        let low: UInt64
        let height: Int
    }

    struct Leaf {
        let keys: [UInt64]
        let dataBlocks: [UInt64]
        var index = 0
    }

    enum Item {
        case subtree(Subtree)
        case leaf(Leaf)
    }

    private let blocks: MetadataBlocks
    private let buffer = PageBuffer(blocks: 1)
    /// The subtrees and leaves that have not been visited; the last one is next.
    private var items: [Item] = []

    init(_ root: UInt64, of blocks: MetadataBlocks) throws(ThinMetadataError) {
        self.blocks = blocks
        var (block, height) = (root, 0)
        while true {
            guard height < 16 else { throw ThinMetadataError(.inconsistent, block: block, NodeFault.height.text) }
            guard case .node(let below, _) = try read(block) else { break }
            guard let first = below.first else { break }
            (block, height) = (first, height + 1)
        }
        items = [.subtree(Subtree(block: root, low: 0, height: height))]
    }

    private enum Content {
        case node([UInt64], keys: [UInt64])
        case leaf(Leaf)
    }

    private func read(_ block: UInt64) throws(ThinMetadataError) -> Content {
        guard let number = UInt32(exactly: block), block < blocks.count,
            buffer.fill(1, from: block, of: blocks.source) == 1
        else { throw ThinMetadataError(.inconsistent, block: block, NodeFault.unreadable.text) }
        let result: Result<Content, NodeFault> = buffer.with(block: 0) { bytes in
            do throws(NodeFault) {
                let node = try NodeHeader(bytes, number, leafValueSize: PackedMapping.size)
                let keys = (0..<node.count).map { bytes.number(NodeLayout.key($0)) }
                let values = (0..<node.count).map { node.value($0, in: bytes) }
                guard node.isLeaf else { return .success(.node(values, keys: keys)) }
                return .success(.leaf(Leaf(keys: keys, dataBlocks: values.map { PackedMapping($0).dataBlock })))
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case .success(let content): return content
        case .failure(let fault): throw ThinMetadataError(.inconsistent, block: block, fault.text)
        }
    }

    /// The next subtree or leaf; `nil` at the end.
    var next: Item? { items.last }

    /// The lowest key that the next subtree or leaf can have.
    var low: UInt64? {
        switch items.last {
        case .subtree(let subtree): subtree.low
        case .leaf(let leaf): leaf.keys[leaf.index]
        case nil: nil
        }
    }

    /// Passes over the subtree that comes next.
    mutating func skip() { items.removeLast() }

    /// Reads the node of the subtree that comes next.
    mutating func expand() throws(ThinMetadataError) {
        guard case .subtree(let subtree)? = items.popLast() else { return }
        switch try read(subtree.block) {
        case .leaf(let leaf):
            if !leaf.keys.isEmpty { items.append(.leaf(leaf)) }
        case .node(let children, let keys):
            guard subtree.height > 0 else {
                throw ThinMetadataError(.inconsistent, block: subtree.block, NodeFault.height.text)
            }
            for (child, key) in zip(children, keys).reversed() {
                items.append(.subtree(Subtree(block: child, low: key, height: subtree.height - 1)))
            }
        }
    }

    /// Takes the next mapping, which is in a leaf.
    mutating func take() -> UInt64 {
        guard case .leaf(var leaf)? = items.popLast() else { return 0 }
        let block = leaf.dataBlocks[leaf.index]
        leaf.index += 1
        if leaf.index < leaf.keys.count { items.append(.leaf(leaf)) }
        return block
    }
}

extension ThinPoolMetadata {
    /// Compares the mappings of two thin devices.
    ///
    /// Two devices that have a node in common agree in all that is below it. Such a node is not read, unless `equals` are
    /// wanted; so a comparison costs what differs, not what is mapped. The times of mappings are not compared.
    ///
    /// - Parameters:
    ///   - left: The first device.
    ///   - right: The second device.
    ///   - includesEqual: Whether runs in which both agree are given as well.
    ///   - body: Gets the runs, in the order of the blocks.
    /// - Throws: ``ThinMetadataError``, with the code `noSuchDevice` among others, and what `body` throws.
    public func delta(
        from left: ThinDeltaSide, to right: ThinDeltaSide, includesEqual: Bool = false,
        _ body: (ThinDelta) throws -> Void
    ) throws {
        try withoutActuallyEscaping(body) { body in
            var runs = DeltaRuns { if includesEqual || $0.kind != .same { try body($0) } }
            var left = try MappingCursor(root(of: left), of: blocks)
            var right = try MappingCursor(root(of: right), of: blocks)
            while try step(&left, &right, &runs, includesEqual) {}
            try runs.finish()
        }
    }

    private func root(of side: ThinDeltaSide) throws(ThinMetadataError) -> UInt64 {
        switch side {
        case .device(let id): try mappingTree(of: id).root
        case .root(let block): block
        }
    }

    /// Goes on by one node or one mapping of either device.
    ///
    /// - Returns: Whether there was any left.
    private func step(
        _ left: inout MappingCursor, _ right: inout MappingCursor, _ runs: inout DeltaRuns, _ includesEqual: Bool
    ) throws -> Bool {
        switch (left.next, right.next) {
        case (nil, nil): return false
        case (.subtree(let first)?, .subtree(let second)?):
            if first.block == second.block, !includesEqual {
                left.skip()
                right.skip()
            } else if first.low != second.low {
                if first.low < second.low { try left.expand() } else { try right.expand() }
            } else {
                if first.height >= second.height { try left.expand() }
                if second.height >= first.height { try right.expand() }
            }
        case (.subtree?, nil): try left.expand()
        case (nil, .subtree?): try right.expand()
        case (.subtree(let subtree)?, .leaf?):
            if let key = right.low, key < subtree.low {
                try runs.add(key, left: nil, right: right.take())
            } else {
                try left.expand()
            }
        case (.leaf?, .subtree(let subtree)?):
            if let key = left.low, key < subtree.low {
                try runs.add(key, left: left.take(), right: nil)
            } else {
                try right.expand()
            }
        case (.leaf?, _), (nil, .leaf?):
            let (first, second) = (left.low, right.low)
            let key = min(first ?? .max, second ?? .max)
            try runs.add(key, left: first == key ? left.take() : nil, right: second == key ? right.take() : nil)
        }
        return true
    }
}
