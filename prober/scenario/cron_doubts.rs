//! Cron expressions that are right, and mean something else than their author probably thinks.

use crate::diagnostic::{Diagnostic, Report};
use crate::source::Spanned;

/// How many values each field has, and the unit of its steps if a schedule by `every` can have it.
const SIZES: [(u32, &str); 5] = [(60, "m"), (24, "h"), (31, "d"), (12, ""), (7, "")];

/// The step behind the `/` of one item of a field.
fn step(item: &str) -> Option<u32> {
    item.split_once('/').and_then(|(_, step)| step.parse().ok())
}

/// What to write in place of a field with a step that is larger than the field; `None` if there is none.
pub(crate) fn oversized(index: usize, field: &str) -> Option<String> {
    let (size, unit) = SIZES.get(index)?;
    let step = field.split(',').filter_map(step).find(|step| step > size)?;
    Some(match *unit {
        "" => format!("a step of {step} leaves only the first value: write that value"),
        unit => format!(
            "a step of {step} leaves only the first value: write every: {step}{unit} in place of `cron`, or that value"
        ),
    })
}

/// Warns of an expression that has five sound fields.
pub(crate) fn doubts(cron: &Spanned<String>, report: &mut Report) {
    let fields: Vec<&str> = cron.value.split_whitespace().collect();
    let [minute, hour, day, _, weekday] = fields.as_slice() else { return };
    let limited = |field: &str| field != "*" && field != "?";
    if limited(day) && limited(weekday) {
        let message = format!("this comes true on the days {day} of the month, and on every {weekday} too");
        let problem = Diagnostic::warning("W359", cron.span, message);
        report.push(
            problem
                .label("one of the two is enough")
                .help("write * for one of them; the first Monday of a month is MON#1 as the weekday"),
        );
    }
    for (field, (size, unit)) in [minute, hour].into_iter().zip(SIZES) {
        let step = field.strip_prefix("*/").and_then(|step| step.parse::<u32>().ok());
        let Some(step) = step.filter(|step| *step > 0 && *step <= size && size % step != 0) else { continue };
        let values: Vec<_> = (0..size).step_by(step as usize).map(|value| value.to_string()).collect();
        let rest = size - (size - 1) / step * step;
        let message =
            format!("`{field}` is {} and then 0 again, {rest}{unit} after the last", values.join(", "));
        let problem = Diagnostic::warning("W359", cron.span, message);
        report.push(
            problem.label("the distances differ").help(format!(
                "write every: {step}{unit} for equal ones, or the values: {}",
                values.join(",")
            )),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    fn check(text: &str, expected: &[&str]) {
        let mut report = Report::default();
        doubts(&Spanned::new(text.to_owned(), Span::default()), &mut report);
        let found: Vec<_> = report.finish().into_iter().map(|one| one.message).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn what_comes_true_otherwise_than_it_looks() {
        check("0 9 1-7 * MON", &["this comes true on the days 1-7 of the month, and on every MON too"]);
        check("0 9 * * MON#1", &[]);
        check("0 9 1-7 * *", &[]);
        check("*/45 * * * *", &["`*/45` is 0, 45 and then 0 again, 15m after the last"]);
        check("0 */5 * * *", &["`*/5` is 0, 5, 10, 15, 20 and then 0 again, 4h after the last"]);
        for even in ["*/15 * * * *", "*/60 * * * *", "0 */8 * * *", "5-50/10 * * * *", "* * * * *"] {
            check(even, &[]);
        }
    }

    #[test]
    fn steps_that_are_too_large() {
        assert!(oversized(0, "*/61").is_some_and(|help| help.contains("every: 61m")));
        assert!(oversized(1, "*/25").is_some_and(|help| help.contains("every: 25h")));
        assert!(oversized(3, "1,2/13").is_some());
        assert_eq!(oversized(0, "*/60"), None);
        assert_eq!(oversized(4, "MON-FRI"), None);
    }
}
