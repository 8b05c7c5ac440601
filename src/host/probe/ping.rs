//! ICMP echo (RFC 792, RFC 4443): by the kernel's ping socket, by a raw socket, or by ping(8).

use super::{Checked, Deadline, Fault, Options};
use crate::host::random;
use crate::process::{self, Plan};
use crate::run::{Run, exit};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The number of requests: one lost packet does not mean that the host is down.
const TRIES: u32 = 3;

/// Sends echo requests to the first address until one is answered.
pub fn echo(run: &Run, addresses: &[IpAddr], deadline: Deadline, options: &Options) -> Checked<()> {
    let Some(address) = addresses.first().copied() else { return Err(Fault::new("name", "the name was not found")) };
    let six = address.is_ipv6();
    let (family, protocol) =
        if six { (AddressFamily::INET6, ipproto::ICMPV6) } else { (AddressFamily::INET, ipproto::ICMP) };
    let open = |kind| rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol));
    // net.ipv4.ping_group_range allows the first, CAP_NET_RAW the second.
    match open(SocketType::DGRAM)
        .map(|socket| (socket, false))
        .or_else(|_| open(SocketType::RAW).map(|socket| (socket, true)))
    {
        Ok((socket, raw)) => by_socket(&socket, raw, address, deadline, options),
        Err(_) => by_program(run, address, deadline, options),
    }
}

fn by_socket(socket: &OwnedFd, raw: bool, address: IpAddr, deadline: Deadline, options: &Options) -> Checked<()> {
    let failed = |error: Errno| match error {
        Errno::AGAIN | Errno::TIMEDOUT => Fault::late(options),
        error => Fault::io(&error.into(), options),
    };
    let mut token = [0; 16];
    random::fill(&mut token).map_err(|error| Fault::io(&error, options))?;
    let share = deadline.left().map_err(|_| Fault::late(options))? / TRIES;
    let mut unreachable = None;
    for number in 0..TRIES as u8 {
        match rustix::net::sendto(
            socket,
            &request(address, number, &token),
            SendFlags::empty(),
            &SocketAddr::new(address, 0),
        ) {
            Ok(_) => {}
            // A host on this network that did not answer ARP. The next request tries again.
            Err(error @ (Errno::HOSTUNREACH | Errno::CONNREFUSED)) => unreachable = Some(error),
            Err(error) => return Err(failed(error)),
        }
        let end = Instant::now() + share;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left < Duration::from_millis(1) {
                break;
            }
            rustix::net::sockopt::set_socket_timeout(socket, rustix::net::sockopt::Timeout::Recv, Some(left))
                .map_err(failed)?;
            let mut buffer = [0; 2048];
            match rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((count, _)) if is_reply(&buffer[..count], raw, address, &token) => return Ok(()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error @ (Errno::HOSTUNREACH | Errno::CONNREFUSED)) => unreachable = Some(error),
                Err(error) => return Err(failed(error)),
            }
        }
    }
    Err(unreachable.map_or_else(|| Fault::late(options), failed))
}

/// Builds an echo request. On a ping socket the kernel sets the identifier, and for IPv6 always the checksum.
fn request(address: IpAddr, number: u8, token: &[u8]) -> Vec<u8> {
    let kind = if address.is_ipv6() { 128 } else { 8 };
    let mut packet = vec![kind, 0, 0, 0, token[0], token[1], 0, number];
    packet.extend_from_slice(token);
    let sum: u32 = packet.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = (sum >> 16) + (sum & 0xffff);
    let check = !(((sum >> 16) + (sum & 0xffff)) as u16);
    packet[2..4].copy_from_slice(&check.to_be_bytes());
    packet
}

/// Returns whether a packet answers our request. A raw socket gets every ICMP packet, with its IPv4 header.
fn is_reply(packet: &[u8], raw: bool, address: IpAddr, token: &[u8]) -> bool {
    let header = if raw && address.is_ipv4() { usize::from(packet.first().map_or(0, |byte| byte & 15)) * 4 } else { 0 };
    let Some(packet) = packet.get(header..) else { return false };
    let kind = if address.is_ipv6() { 129 } else { 0 };
    packet.first() == Some(&kind) && packet.get(8..8 + token.len()) == Some(token)
}

/// Runs ping(8), which has its own privileges. The options work with iputils and busybox.
fn by_program(run: &Run, address: IpAddr, deadline: Deadline, options: &Options) -> Checked<()> {
    let left = deadline.left().map_err(|_| Fault::late(options))?;
    let seconds = left.as_secs().max(1).to_string();
    let plan = Plan::read(["ping", "-n", "-q", "-c", "1", "-w", &seconds, &address.to_string()]);
    let outcome = process::attempt(run, &plan.timeout(left + Duration::from_secs(1)));
    match outcome {
        Ok(outcome) if outcome.code() == 0 => Ok(()),
        Ok(outcome) if outcome.code() == 1 => Err(Fault::late(options)),
        Ok(outcome) => Err(Fault::new("answer", outcome.err_text().trim().to_owned())),
        Err(error) if error.exit == exit::TIMED_OUT => Err(Fault::late(options)),
        Err(error) => Err(Fault::new("answer", format!("this user may not send ICMP: {}", error.message))),
    }
}
