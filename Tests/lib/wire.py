"""Messages of protobuf by the numbers of their fields, for clients that have no generated code."""


def varint(value):
    encoded = b""
    while value > 127:
        encoded += bytes([value & 127 | 128])
        value >>= 7
    return encoded + bytes([value])


def field(number, text):
    content = text.encode() if isinstance(text, str) else text
    return varint(number << 3 | 2) + varint(len(content)) + content


def fields(message):
    """The fields of a message, for those that are texts or messages; numbers are passed over."""
    found, position = [], 0

    def number():
        nonlocal position
        value = shift = 0
        while True:
            byte = message[position]
            position += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while position < len(message):
        tag = number()
        length = number()
        if tag & 7 == 2:
            found.append((tag >> 3, message[position : position + length]))
            position += length
    return found
