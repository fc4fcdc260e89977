use std::sync::Mutex;

use super::*;

fn cidrs(texts: &[&str]) -> Vec<Cidr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A resolver that knows one answer, whatever the name.
fn always(addresses: &[&str]) -> Lookup {
    let found: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    Arc::new(move |_| {
        let found = found.clone();
        Box::pin(async move { Ok(found) })
    })
}

fn allowing(wanted: &[&str], ceiling: &[&str]) -> AddressPolicy {
    AddressPolicy::new(&cidrs(wanted), &cidrs(ceiling), always(&[]))
}

const REFUSED: &[&str] = &[
    "0.0.0.0", // this machine, to Linux
    "0.1.2.3",
    "10.0.0.0",
    "10.96.0.1", // the API server of many clusters
    "10.255.255.255",
    "100.64.0.0",
    "100.100.100.200", // Alibaba's metadata
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16", // Azure's host service
    "169.254.0.1",
    "169.254.169.254", // metadata: AWS, GCP, Azure
    "169.254.170.2",   // metadata: containers on AWS
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192", // Oracle's metadata
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "::7f00:1",         // 127.0.0.1, compatible
    "::808:808",        // compatible forms are never routed
    "::ffff:127.0.0.1", // mapped: the connection is IPv4
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:7f00:1",    // translated (RFC 2765)
    "64:ff9b::7f00:1",    // NAT64 of 127.0.0.1
    "64:ff9b::a9fe:a9fe", // NAT64 of the metadata address
    "64:ff9b::a00:1",
    "64:ff9b:1::808:808", // local NAT64
    "100::1",
    "2001::1", // Teredo
    "2001:0:a9fe:a9fe::1",
    "2001:2::1", // benchmarks
    "2001:10::1",
    "2001:20::1",
    "2001:1ff::1",
    "2001:db8::1",
    "2002:7f00:1::1", // 6to4 of 127.0.0.1
    "2002:a9fe:a9fe::1",
    "2002:808:808::1",
    "2620:4f:8000::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254", // metadata: AWS
    "fdff::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ffff::1",
];

const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.0.3.1",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808", // NAT64 of 8.8.8.8: how IPv6-only clusters reach IPv4
    "2000::1",
    "2001:200::1",
    "2001:db7::1",
    "2001:db9::1",
    "2003::1",
    "2606:4700::1111",
    "3ffe::1",
    "3fff:1000::1",
];

#[test]
fn only_public_addresses_may_be_connected_to() {
    let nothing_allowed = allowing(&[], &[]);
    for text in REFUSED {
        assert!(!nothing_allowed.permits(text.parse().unwrap()), "{text}");
    }
    for text in PUBLIC {
        assert!(nothing_allowed.permits(text.parse().unwrap()), "{text}");
    }
}

#[test]
fn an_allowed_range_opens_what_it_contains_and_nothing_else() {
    let policy = allowing(&["127.0.0.0/8", "fd00:20::/32"], &["0.0.0.0/0", "::/0"]);
    for (text, permitted) in [
        ("127.0.0.1", true),
        ("::ffff:127.0.0.1", true), // the same connection
        ("fd00:20::7", true),
        ("10.0.0.1", false),
        ("fd00:21::7", false),
        ("::1", false),
        ("64:ff9b::7f00:1", false), // another way to it
        ("::7f00:1", false),
        ("8.8.8.8", true),
    ] {
        assert_eq!(policy.permits(text.parse().unwrap()), permitted, "{text}");
    }
}

#[test]
fn a_metadata_service_is_out_of_reach_whatever_is_allowed() {
    let everything = allowing(&["0.0.0.0/0", "::/0"], &["0.0.0.0/0", "::/0"]);
    for text in [
        "169.254.169.254",
        "169.254.169.123",
        "169.254.170.2",
        "169.254.170.23",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "::ffff:169.254.169.254",
        "::a9fe:a9fe",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001::5601:5601",          // Teredo: the client's address is inverted
        "64:ff9b:1:a9fe:a9:fe00::", // local NAT64, the address in the middle
        "::ffff:0:a9fe:a9fe",       // translated (RFC 2765)
        "2606:4700:64::a9fe:a9fe",  // NAT64 with a prefix of the network's own
        "fd12:3456::a9fe:a9fe",
        "fe80::5efe:a9fe:a9fe", // ISATAP
        "fe80::a9fe:a9fe",      // OpenStack
        "169.254.0.23",
        "169.254.42.42",
        "fd00:42::42",
        "fd20:ce::254", // GCP
        "fd00:ec2::254",
        "fd00:ec2::23",
    ] {
        let address = text.parse().unwrap();
        assert!(!everything.permits(address) && !everything.permits_literal(address), "{text}");
    }
    for text in ["169.254.1.1", "fd00:ec3::254", "fd12:3456::a00:1", "64:ff9b:1:a9fe:a8:fe00::"] {
        assert!(everything.permits(text.parse().unwrap()), "{text}");
    }
}

#[test]
fn the_installation_s_ceiling_cuts_what_a_provider_object_allows() {
    for (wanted, ceiling, address, permitted) in [
        (&["10.0.0.0/8"][..], &[][..], "10.1.2.3", false), // an empty ceiling allows nothing
        (&["10.0.0.0/8"], &["10.1.0.0/16"], "10.1.2.3", true),
        (&["10.0.0.0/8"], &["10.1.0.0/16"], "10.2.2.3", false),
        (&["10.1.0.0/16"], &["10.0.0.0/8"], "10.1.2.3", true),
        (&["10.1.0.0/16"], &["10.0.0.0/8"], "10.2.2.3", false),
        (&[], &["0.0.0.0/0"], "10.1.2.3", false),
        (&["10.0.0.0/8"], &["192.168.0.0/16"], "10.1.2.3", false),
        (&["0.0.0.0/0"], &["::/0"], "10.1.2.3", false),
    ] {
        let policy = allowing(wanted, ceiling);
        assert_eq!(policy.permits(address.parse().unwrap()), permitted, "{wanted:?} {ceiling:?} {address}");
    }
}

#[test]
fn an_address_in_a_base_url_needs_an_allowed_range_even_when_it_is_public() {
    let policy = allowing(&["127.0.0.1/32", "8.8.8.8/32"], &["0.0.0.0/0"]);
    for (text, permitted) in
        [("127.0.0.1", true), ("8.8.8.8", true), ("127.0.0.2", false), ("1.1.1.1", false), ("::1", false)]
    {
        assert_eq!(policy.permits_literal(text.parse().unwrap()), permitted, "{text}");
    }
}

#[tokio::test]
async fn one_refused_address_refuses_the_whole_answer() {
    for (answer, expected) in [
        (&["8.8.8.8"][..], Ok(1)),
        (&["8.8.8.8", "2606:4700::1111"], Ok(2)),
        (&["8.8.8.8", "127.0.0.1"], Err(NoAddress::NotAllowed)),
        (&["127.0.0.1", "8.8.8.8"], Err(NoAddress::NotAllowed)),
        (&["::ffff:10.0.0.1"], Err(NoAddress::NotAllowed)),
        (&[], Err(NoAddress::NotResolved)),
    ] {
        let policy = AddressPolicy::new(&[], &[], always(answer));
        let found = policy.addresses(&Host::Name("api.example.com".to_owned()), 443).await;
        assert_eq!(found.map(|found| found.len()), expected, "{answer:?}");
    }
}

/// With `ndots:5`, as pods have it, `api.example.com` is first asked for as `api.example.com.team.svc.cluster.local`.
#[tokio::test]
async fn a_name_is_looked_up_without_the_search_domains_of_the_pod() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let names = asked.clone();
    let lookup: Lookup = Arc::new(move |name| {
        names.lock().unwrap().push(name);
        Box::pin(async { Ok(vec![[8, 8, 8, 8].into()]) })
    });
    let policy = AddressPolicy::new(&[], &[], lookup);
    let host = Host::Name("api.example.com".to_owned());
    assert_eq!(policy.addresses(&host, 443).await, Ok(vec![([8, 8, 8, 8], 443).into()]));
    assert_eq!(*asked.lock().unwrap(), ["api.example.com."]);
}

#[tokio::test]
async fn a_refused_address_beyond_those_that_are_used_refuses_the_answer_too() {
    let mut answer = vec!["8.8.8.8"; 20];
    let policy = AddressPolicy::new(&[], &[], always(&answer));
    assert_eq!(policy.resolve("api.example.com").await.map(|found| found.len()), Ok(MOST_ADDRESSES));
    answer.push("10.0.0.1");
    let policy = AddressPolicy::new(&[], &[], always(&answer));
    assert_eq!(policy.resolve("api.example.com").await, Err(NoAddress::NotAllowed));
}

#[tokio::test]
async fn a_name_that_is_bound_anew_is_checked_anew() {
    let answers = Arc::new(Mutex::new(vec!["127.0.0.1", "8.8.8.8"]));
    let lookup: Lookup = Arc::new(move |_| {
        let next = answers.lock().unwrap().pop().unwrap();
        Box::pin(async move { Ok(vec![next.parse().unwrap()]) })
    });
    let policy = AddressPolicy::new(&[], &[], lookup);
    assert!(policy.resolve("api.example.com").await.is_ok());
    assert_eq!(policy.resolve("api.example.com").await, Err(NoAddress::NotAllowed));
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_fails_or_hangs_means_that_nothing_was_sent() {
    let failing: Lookup =
        Arc::new(|_| Box::pin(async { Err(io::Error::other("SERVFAIL for api.example.com")) }));
    let hanging: Lookup = Arc::new(|_| Box::pin(std::future::pending()));
    for lookup in [failing, hanging] {
        let found = AddressPolicy::new(&[], &[], lookup).resolve("api.example.com").await;
        assert_eq!(found, Err(NoAddress::NotResolved));
    }
    assert_eq!(
        Failure::from(NoAddress::NotAllowed),
        Failure::new(Class::Transient, Cause::AddressNotAllowed)
    );
}
