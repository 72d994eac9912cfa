"""Answers pings wrongly, each host of 10.77.2.0/24 in a way of its own.

Needs a raw socket, and a kernel that leaves pings to it (net.ipv4.icmp_echo_ignore_all).
"""
import socket
import struct
import threading
import time

ECHO, REPLY, UNREACHABLE, EXCEEDED = 8, 0, 3, 11
LATE_SECONDS = 20.0
FLOOD = 300

raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
raw.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def send(source, target, kind, code, rest, wrong=0):
    message = struct.pack("!BBH", kind, code, 0) + rest
    message = struct.pack("!BBH", kind, code, (checksum(message) + wrong) & 0xFFFF) + rest
    # Length, identification and checksum are filled in by the kernel.
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_ICMP, 0, source, target)
    raw.sendto(header + message, (socket.inet_ntoa(target), 0))


def answer(packet):
    source, target = packet[12:16], packet[16:20]
    message = packet[(packet[0] & 15) * 4:]
    if message[0] != ECHO:
        return
    rest, ours = message[4:], packet[: (packet[0] & 15) * 4] + message[:64]
    ident, sequence = struct.unpack("!HH", rest[:4])
    payload = rest[4:]
    say = lambda rest, **more: send(target, source, REPLY, 0, rest, **more)
    head = lambda ident, sequence: struct.pack("!HH", ident, sequence)
    unreachable = lambda code: send(target, source, UNREACHABLE, code, b"\0\0\0\0" + ours)
    match target[3]:
        case 1:  # as it should be
            say(rest)
        case 2:  # nothing
            pass
        case 3:  # another's identifier
            say(head(ident ^ 1, sequence) + payload)
        case 4:  # another's payload
            say(rest[:4] + b"x" * len(payload))
        case 5:  # a part of it
            say(rest[:8])
        case 6:  # five times
            for _ in range(5):
                say(rest)
        case 7:  # from somebody else
            send(target[:3] + b"\1", source, REPLY, 0, rest)
        case 8:  # too late
            threading.Timer(LATE_SECONDS, say, [rest]).start()
        case 9:  # with a wrong checksum
            say(rest, wrong=1)
        case 10:  # again and again, with much behind it
            for _ in range(FLOOD):
                say(rest + b"x" * 1000)
        case 11:  # a ping that was never sent
            say(head(ident, 999) + payload)
        case 12:  # a reply of another kind, and an empty one
            send(target, source, REPLY, 7, rest)
            send(target, source, REPLY, 0, b"")
        case 13:  # forbidden on the way
            unreachable(13)
        case 14:  # nobody there takes pings
            unreachable(3)
        case 15:  # lost in a loop
            send(target, source, EXCEEDED, 0, b"\0\0\0\0" + ours)
        case 16:  # refused and answered
            unreachable(13)
            say(rest)


print("ready", flush=True)
while True:
    answer(raw.recvfrom(65535)[0])
