//! The addresses that this host reaches directly, from the kernel's routing tables.

use super::address::is_in;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `RTF_REJECT` in `linux/route.h`: the kernel refuses packets to this network.
const REJECT: u32 = 0x0200;
/// `RTF_UP` and `RTF_GATEWAY` there.
const UP: u32 = 0x0001;
const GATEWAY: u32 = 0x0002;

/// A route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Route {
    network: IpAddr,
    prefix: u32,
    /// True if packets go to the address itself, not to a gateway.
    direct: bool,
}

/// The routes of this host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// Reads the main tables of IPv4 and IPv6. A kernel without IPv6 has no table for it.
    ///
    /// Returns `None` if `/proc` does not have the IPv4 table.
    pub fn read() -> Option<Self> {
        let four = std::fs::read_to_string("/proc/net/route").ok()?;
        Some(Self::parse(&four, &std::fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default()))
    }

    /// Parses `/proc/net/route` and `/proc/net/ipv6_route`, as the kernel's `net/ipv4/fib_trie.c` and
    /// `net/ipv6/route.c` print them.
    pub fn parse(four: &str, six: &str) -> Self {
        // Iface Destination Gateway Flags RefCnt Use Metric Mask. The addresses are integers in this machine's byte
        // order.
        let four = four.lines().skip(1).filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |index: usize| u32::from_str_radix(words.get(index)?, 16).ok();
            let address = |index| Some(Ipv4Addr::from(number(index)?.to_ne_bytes()));
            Route::new(address(1)?, u32::from(address(7)?).count_ones(), number(3)?)
        });
        // Destination prefix, source prefix, next hop, metric, references, use, flags, device.
        let six = six.lines().filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |index: usize| u32::from_str_radix(words.get(index)?, 16).ok();
            let network = Ipv6Addr::from(u128::from_str_radix(words.first()?, 16).ok()?);
            let route = Route::new(network, number(1)?, number(8)?)?;
            Some(Route { direct: route.direct && words.last() != Some(&"lo"), ..route })
        });
        Self(four.chain(six).collect())
    }

    /// Returns whether this host sends packets for an address directly: it has an address of its own in the container's
    /// network. A network without one (`inhibit_ipv4`, gateway mode `isolated`) leaves only the default route, which
    /// leads away from this host.
    pub fn reach(&self, address: IpAddr) -> bool {
        let best =
            self.0.iter().filter(|route| is_in(address, route.network, route.prefix)).max_by_key(|route| route.prefix);
        best.is_some_and(|route| route.direct)
    }
}

impl Route {
    fn new(network: impl Into<IpAddr>, prefix: u32, flags: u32) -> Option<Self> {
        let direct = flags & (GATEWAY | REJECT) == 0 && prefix > 0;
        (flags & UP != 0).then_some(Self { network: network.into(), prefix, direct })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_network_that_the_host_is_in_is_reached() {
        let word = |address: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(address));
        let line = |device: &str, network, gateway, flags: &str, mask| {
            format!("{device}\t{}\t{}\t{flags}\t0\t0\t0\t{}\t0\t0\t0\n", word(network), word(gateway), word(mask))
        };
        let four = [
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n".to_owned(),
            line("eth0", [0; 4], [10, 0, 0, 1], "0003", [0; 4]),
            line("docker0", [172, 17, 0, 0], [0; 4], "0001", [255, 255, 0, 0]),
            line("tun0", [172, 16, 0, 0], [10, 8, 0, 1], "0003", [255, 240, 0, 0]),
            line("*", [172, 17, 9, 0], [0; 4], "0201", [255, 255, 255, 0]),
            line("ppp0", [0; 4], [0; 4], "0001", [0; 4]),
        ];
        let six = "fd000001000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001 br-1\n\
                   00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200 lo\n";
        let routes = Routes::parse(&four.concat(), six);
        for (address, reached) in [
            ("172.17.0.2", true),
            ("172.18.0.2", false),
            ("172.17.9.2", false),
            ("192.168.0.2", false),
            ("fd00:1::2", true),
            ("fd00:2::2", false),
        ] {
            assert_eq!(routes.reach(address.parse().unwrap()), reached, "{address}");
        }
        assert!(!Routes::parse("", "").reach("172.17.0.2".parse().unwrap()));
    }
}
