#[test]
fn smoke() {
    for seed in 0..2000 {
        let story = sim::run_seed(seed, None);
        if story.broken.is_some() {
            let (scenario, story) = sim::shrink(&sim::Scenario::draw(seed), None);
            for line in &story.trace {
                println!("{line}");
            }
            println!("{scenario:#?}");
            panic!("{seed} {:?}", story.broken);
        }
    }
}
