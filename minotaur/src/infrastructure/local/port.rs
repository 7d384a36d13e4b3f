//! Which TCP ports are free? Asked below the range from which systems take ports for outgoing
//! connections, so that a client's connection does not take one between our look and the
//! broker's bind.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};

use crate::error::LabError;

const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;
const TRIES: usize = 12_000;

/// `count` different ports that are free now and not `claimed` by a cluster.
///
/// Starts at a random place: two labs with different homes then seldom look at the same port.
///
/// # Errors
///
/// [`LabError::NoFreePort`] when the range is exhausted.
pub(crate) fn pick(count: usize, claimed: &BTreeSet<u16>) -> Result<Vec<u16>, LabError> {
    let mut ports: Vec<u16> = Vec::new();
    let mut candidate = fastrand::u16(FIRST..=LAST);
    for _ in 0..TRIES {
        if ports.len() == count {
            break;
        }
        candidate = if candidate >= LAST { FIRST } else { candidate.saturating_add(1) };
        if !claimed.contains(&candidate) && is_free(candidate) {
            ports.push(candidate);
        }
    }
    if ports.len() < count {
        return Err(too_few(count));
    }
    Ok(ports)
}

pub(crate) const fn too_few(needed: usize) -> LabError {
    LabError::NoFreePort { needed, first: FIRST, last: LAST }
}

/// Whether nobody listens there.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picked_ports_are_distinct_free_and_in_range() {
        let ports = pick(18, &BTreeSet::new()).unwrap();
        let distinct: BTreeSet<u16> = ports.iter().copied().collect();
        assert_eq!(distinct.len(), 18);
        assert!(ports.iter().all(|port| (FIRST..=LAST).contains(port)));
    }

    #[test]
    fn claimed_and_used_ports_are_never_picked() {
        let free: BTreeSet<u16> = pick(3, &BTreeSet::new()).unwrap().into_iter().collect();
        let used = TcpListener::bind((Ipv4Addr::LOCALHOST, *free.first().unwrap())).unwrap();
        assert!(!is_free(used.local_addr().unwrap().port()));
        let mut claimed: BTreeSet<u16> = (FIRST..=LAST).collect();
        claimed.retain(|port| !free.contains(port));
        let picked: BTreeSet<u16> =
            (0..20).flat_map(|_| pick(2, &claimed).unwrap_or_default()).collect();
        assert!(!picked.contains(free.first().unwrap()), "{picked:?}");
        assert!(picked.is_subset(&free));
    }

    #[test]
    fn an_exhausted_range_is_an_error() {
        let claimed = (FIRST..=LAST).collect();
        assert!(matches!(pick(1, &claimed), Err(LabError::NoFreePort { needed: 1, .. })));
    }
}
