//! Which entry a comment belongs to.
//!
//! A comment on a line of its own belongs to what follows it, unless it is indented like something that has just
//! ended. A comment behind a value belongs to that value. The comments at the very top belong to the file.

use super::layout::{Comment, Layout};

/// Hands every comment to its entry, its group or the head; `comments` are in the file's order.
pub(super) fn attach<'t>(layout: &mut Layout<'t>, comments: Vec<Comment<'t>>) {
    for comment in comments {
        if comment.is_own_line { own_line(layout, comment) } else { behind(layout, comment) }
    }
    take_head(layout);
    follow_first_keys(layout);
}

/// A comment behind something on its line.
fn behind<'t>(layout: &mut Layout<'t>, comment: Comment<'t>) {
    let Some(mut entry) = before(layout, comment.start) else {
        let head = &mut layout.head;
        if head.is_marked && head.behind_mark.is_none() {
            head.behind_mark = Some(comment);
        } else {
            head.before.push(comment);
        }
        return;
    };
    // Out of the flow forms that have ended before it.
    loop {
        let group = &layout.groups[layout.entries[entry].group];
        if !group.is_flow || group.end > comment.start {
            break;
        }
        match group.owner {
            Some(owner) => entry = owner,
            None => return root_tail(layout, comment),
        }
    }
    layout.entries[entry].trailing.push(comment);
}

fn own_line<'t>(layout: &mut Layout<'t>, comment: Comment<'t>) {
    let next = layout.entries.partition_point(|entry| entry.start <= comment.start);
    let Some(previous) = next.checked_sub(1) else {
        return leading(layout, next, comment);
    };
    if let Some(group) = flow_around(layout, previous, comment.start) {
        return in_flow(layout, group, next, comment);
    }
    let previous = out_of_flow(layout, previous);
    let end = if next < layout.entries.len() { Some(layout.entries[next].group) } else { None };
    let Some(previous) = previous else { return root_tail(layout, comment) };
    if let Some(value) = layout.value(previous).filter(|value| value.start > comment.start) {
        // Between a key and its value.
        let in_block = value.group().is_some_and(|group| !layout.groups[group].is_flow);
        return leading(layout, if in_block { next } else { previous }, comment);
    }
    let group = layout.entries[previous].group;
    let is_empty = layout.value(previous).is_some_and(super::layout::Piece::is_empty);
    if is_empty && comment.column > layout.groups[group].column {
        layout.entries[previous].inner.push(comment);
        return;
    }
    match ended_group(layout, group, end, comment.column) {
        Some(group) => layout.groups[group].tail.push(comment),
        None if end.is_some() => leading(layout, next, comment),
        None => root_tail(layout, comment),
    }
}

/// The innermost group around `group` that has ended before the group `next` goes on and is indented as far
/// as the comment or less.
fn ended_group(layout: &Layout<'_>, group: usize, next: Option<usize>, column: usize) -> Option<usize> {
    let mut group = group;
    while Some(group) != next {
        if layout.groups[group].column <= column {
            return Some(group);
        }
        let owner = layout.groups[group].owner?;
        group = layout.entries[owner].group;
    }
    None
}

fn in_flow<'t>(layout: &mut Layout<'t>, group: usize, next: usize, comment: Comment<'t>) {
    let follows = layout.entries.get(next).is_some_and(|entry| entry.group == group);
    if follows {
        return leading(layout, next, comment);
    }
    if layout.groups[group].entries.is_empty() {
        // There is no place for it inside.
        match layout.groups[group].owner {
            Some(owner) => layout.entries[owner].leading.push(comment),
            None => layout.head.comments.push(comment),
        }
        return;
    }
    layout.groups[group].tail.push(comment);
}

/// The innermost flow form around the place `at`, which comes after the entry `previous`.
fn flow_around(layout: &Layout<'_>, previous: usize, at: usize) -> Option<usize> {
    let around = |group: usize| {
        let group = &layout.groups[group];
        group.is_flow && group.start < at && at < group.end
    };
    if let Some(group) = layout.group_in(previous).filter(|group| around(*group)) {
        return Some(group);
    }
    let mut entry = previous;
    loop {
        let group = layout.entries[entry].group;
        if around(group) {
            return Some(group);
        }
        entry = layout.groups[group].owner?;
    }
}

/// The entry itself, or the one around it that is in a block; `None` if the whole file is one flow form.
fn out_of_flow(layout: &Layout<'_>, entry: usize) -> Option<usize> {
    let mut entry = entry;
    while layout.groups[layout.entries[entry].group].is_flow {
        entry = layout.groups[layout.entries[entry].group].owner?;
    }
    Some(entry)
}

/// The last entry that begins before `at`.
fn before(layout: &Layout<'_>, at: usize) -> Option<usize> {
    layout.entries.partition_point(|entry| entry.start < at).checked_sub(1)
}

fn leading<'t>(layout: &mut Layout<'t>, entry: usize, comment: Comment<'t>) {
    match layout.entries.get_mut(entry) {
        Some(entry) => entry.leading.push(comment),
        None => layout.head.comments.push(comment),
    }
}

fn root_tail<'t>(layout: &mut Layout<'t>, comment: Comment<'t>) {
    match layout.root.as_ref().and_then(super::layout::Piece::group) {
        Some(group) => layout.groups[group].tail.push(comment),
        None => layout.head.comments.push(comment),
    }
}

/// The comments at the top belong to the file, except a last block of several that touches the first key.
fn take_head(layout: &mut Layout<'_>) {
    let Some(first) = layout.entries.first_mut() else { return };
    let mut comments = std::mem::take(&mut first.leading);
    let split = comments.iter().skip(1).rposition(|comment| comment.blank).map(|at| at + 1);
    // A waiver above the first key is for the whole file, wherever that key goes.
    let stays = |split: &usize| !first.blank && !comments[*split..].iter().any(Comment::is_waiver);
    match split.filter(stays) {
        Some(split) => {
            first.leading = comments.split_off(split);
            first.leading[0].blank = false;
            layout.head.gap = true;
        }
        None => layout.head.gap = std::mem::take(&mut first.blank),
    }
    layout.head.comments.extend(comments);
}

/// A waiver above an item is for the line of its dash: it follows the key behind that.
fn follow_first_keys(layout: &mut Layout<'_>) {
    for item in 0..layout.entries.len() {
        let inner = layout.group_in(item).filter(|group| !layout.groups[*group].is_flow);
        let is_item = layout.entries[item].key.is_none();
        let Some(first) = inner.filter(|_| is_item).and_then(|group| layout.groups[group].entries.first())
        else {
            continue;
        };
        let first = *first;
        let leading = std::mem::take(&mut layout.entries[item].leading);
        let split = leading.iter().position(Comment::is_waiver).unwrap_or(leading.len());
        let (stay, follow) = leading.split_at(split);
        layout.entries[item].leading = stay.to_vec();
        layout.entries[first].leading.splice(0..0, follow.iter().cloned());
    }
}
