"""Numbers as protobuf and ClickHouse's Native format write them: seven bits a byte, the lowest first."""


def varint(number: int) -> bytes:
    """``number``, which is not negative, encoded."""
    encoded = bytearray()
    while number >> 7:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
