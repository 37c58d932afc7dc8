//! The order of a release's steps: as in the file, each after what it names under `after` (rule F5).

use super::step::Draft;
use super::yaml::nearest;
use crate::model::Finding;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

/// Orders steps stably. Steps of a cycle are refused by name and keep their order in the file.
pub(super) fn ordered<'a>(drafts: Vec<Draft<'a>>, findings: &mut Vec<Finding>) -> Vec<Draft<'a>> {
    let mut index: HashMap<&str, usize> = HashMap::new();
    for (n, draft) in drafts.iter().enumerate() {
        index.entry(draft.step.id.step.as_str()).or_insert(n);
    }
    // A name wins over another step's id: it is what the author sees.
    index.extend(drafts.iter().enumerate().map(|(n, draft)| (draft.step.name.as_str(), n)));
    let mut needs: Vec<Vec<usize>> = vec![vec![]; drafts.len()];
    for (n, draft) in drafts.iter().enumerate() {
        for (name, node) in &draft.after {
            match index.get(name) {
                Some(&before) => needs[n].push(before),
                None => {
                    let names: Vec<_> = drafts.iter().map(|d| d.step.name.as_str()).collect();
                    let way_out = match nearest(name, &names) {
                        Some(name) => format!("write `{name}`"),
                        None => "`after` names steps of the same release".to_owned(),
                    };
                    findings.push(node.refuse("F5", format!("no step `{name}` in this release"), way_out));
                }
            }
        }
    }
    let order = sorted(&needs).unwrap_or_else(|cycle| {
        let names: Vec<_> = cycle.iter().map(|n| format!("`{}`", drafts[*n].step.name)).collect();
        findings.push(drafts[cycle[0]].node.refuse_key(
            "F5",
            format!("these steps wait for each other: {}", names.join(" after ")),
            "take one of the `after` away",
        ));
        (0..drafts.len()).collect()
    });
    let mut drafts: Vec<_> = drafts.into_iter().map(Some).collect();
    order.into_iter().filter_map(|n| drafts[n].take()).collect()
}

/// Each index after all it needs, otherwise ascending; or one cycle, its first index again at the end.
fn sorted(needs: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut followers: Vec<Vec<usize>> = vec![vec![]; needs.len()];
    for (n, befores) in needs.iter().enumerate() {
        for before in befores {
            followers[*before].push(n);
        }
    }
    let mut ready: BinaryHeap<_> = (0..needs.len()).filter(|n| open[*n] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(Reverse(n)) = ready.pop() {
        order.push(n);
        for follower in &followers[n] {
            open[*follower] -= 1;
            if open[*follower] == 0 {
                ready.push(Reverse(*follower));
            }
        }
    }
    match open.iter().position(|left| *left > 0) {
        None => Ok(order),
        Some(stuck) => Err(cycle(needs, &open, stuck)),
    }
}

/// Whatever is stuck needs something that is stuck; going that way ends in a circle.
fn cycle(needs: &[Vec<usize>], open: &[usize], stuck: usize) -> Vec<usize> {
    let mut way = vec![stuck];
    loop {
        let last = way[way.len() - 1];
        let Some(&next) = needs[last].iter().find(|n| open[**n] > 0) else { return way };
        if let Some(start) = way.iter().position(|n| *n == next) {
            way.drain(..start);
            way.push(next);
            return way;
        }
        way.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::sorted;

    #[test]
    fn order_is_stable_and_obeys_after() {
        assert_eq!(sorted(&[vec![], vec![], vec![]]), Ok(vec![0, 1, 2]));
        assert_eq!(sorted(&[vec![2], vec![], vec![], vec![0]]), Ok(vec![1, 2, 0, 3]));
        assert_eq!(sorted(&[vec![1, 1], vec![]]), Ok(vec![1, 0]));
    }

    #[test]
    fn a_cycle_is_named_without_what_hangs_on_it() {
        assert_eq!(sorted(&[vec![1], vec![2], vec![1]]), Err(vec![1, 2, 1]));
        assert_eq!(sorted(&[vec![0]]), Err(vec![0, 0]));
    }
}
