//! What happened from Monday to Thursday.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::agent;
use super::operators::{self, Person};
use super::others;
use super::record::Event;
use super::world::{DEMO, Instance, LINKED, NAT, PRIVATELINK, PUBLIC};

/// Monday of the week.
const MONDAY: Date = Date::constant(2026, 11, 16);
/// How many days the recording lasts.
const DAYS: i32 = 4;

/// The time of day, in minutes and seconds after midnight, of a day of the week.
fn at(day: i32, hour: i8, minute: i8, second: i8) -> Timestamp {
    let date = MONDAY.saturating_add(jiff::Span::new().days(day));
    date.at(hour, minute, second, 0).to_zoned(TimeZone::UTC).map(|z| z.timestamp()).unwrap_or_default()
}

fn after(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(time.as_second() + seconds).unwrap_or(time)
}

/// One session: who, where, when, for how long, with the stack's preferences or the account's.
struct Session {
    who: Person,
    on: &'static Instance,
    start: Timestamp,
    minutes: i64,
    logged: bool,
    bytes: u32,
}

fn sessions() -> Vec<Session> {
    use Person::{Alice, Bob, Carol};
    let row = |who, on, (day, hour, minute, second), minutes, logged, bytes| Session {
        who,
        on,
        start: at(day, hour, minute, second),
        minutes,
        logged,
        bytes,
    };
    vec![
        row(Alice, &PUBLIC, (0, 9, 12, 40), 14, true, 5_218),
        row(Alice, &NAT, (0, 9, 41, 3), 22, true, 18_744),
        row(Alice, &LINKED, (0, 10, 20, 11), 9, true, 2_096),
        row(Bob, &PUBLIC, (1, 8, 5, 27), 31, true, 40_113),
        row(Carol, &NAT, (1, 13, 44, 2), 18, true, 7_650),
        row(Bob, &LINKED, (1, 15, 2, 51), 12, true, 3_387),
        row(Alice, &PUBLIC, (2, 11, 30, 9), 25, true, 9_902),
        row(Bob, &NAT, (2, 14, 17, 36), 8, true, 1_541),
        row(Carol, &LINKED, (2, 16, 40, 0), 16, true, 6_023),
        // Started from a link of the console, so without the stack's document and without its logging.
        row(Carol, &PUBLIC, (3, 9, 3, 18), 6, false, 0),
        row(Alice, &NAT, (3, 10, 55, 44), 11, true, 4_470),
        row(Alice, &LINKED, (3, 13, 21, 7), 19, true, 11_208),
    ]
}

/// Every event, in no particular order.
pub(super) fn events() -> Vec<Event> {
    let mut events = Vec::new();
    for (number, on) in [&PUBLIC, &NAT, &LINKED].into_iter().enumerate() {
        let offset = 37 * i64::try_from(number).unwrap_or_default();
        start_up(&mut events, after(at(0, 8, 2, 10), offset), on);
        routine(&mut events, offset, on);
    }
    for session in sessions() {
        play(&mut events, &session);
    }
    work(&mut events);
    noise(&mut events);
    events
}

/// The instance boots: credentials, first reports, control channel.
fn start_up(events: &mut Vec<Event>, boot: Timestamp, on: &Instance) {
    events.push(others::delivery(boot, on));
    events.push(agent::first_report(boot, on));
    events.push(agent::heartbeat(after(boot, 1), on).event());
    events.extend(agent::control_channel(after(boot, 2), on));
    events.push(agent::associations(after(boot, 4), on));
}

/// What goes on without anybody: credentials every six hours, a report now and then, associations, a new channel a day.
fn routine(events: &mut Vec<Event>, offset: i64, on: &Instance) {
    for day in 0..DAYS {
        for hour in (0..24).step_by(3) {
            let time = after(at(day, hour, 21, 0), offset);
            if time < at(0, 8, 30, 0) {
                continue;
            }
            events.push(agent::heartbeat(time, on).event());
            if hour % 6 == 0 {
                events.push(others::delivery(time, on));
                events.push(agent::associations(after(time, 40), on));
            }
        }
        if day > 0 {
            events.extend(agent::control_channel(after(at(day, 4, 48, 30), offset), on));
        }
    }
}

/// A session as both sides record it.
fn play(events: &mut Vec<Event>, session: &Session) {
    let Session { who, on, start, minutes, logged, bytes } = *session;
    let id = operators::session_id(who, start, on);
    let end = after(start, minutes * 60);
    events.push(operators::start_session(start, who, on, logged));
    events.push(operators::terminate_session(end, who, &id));
    if minutes > 20 {
        events.push(operators::resume_session(after(start, 11 * 60), who, &id));
    }
    if logged {
        events.extend(agent::stream_log(start, on, &id));
        events.extend(agent::upload_log(end, on, &id, bytes));
    }
}

/// The inventory of two instances, a command on one and patches on the other.
fn work(events: &mut Vec<Event>) {
    events.push(operators::create_inventory(at(0, 10, 2, 30)));
    for (day, hour) in [(0, 10), (0, 22), (1, 10), (1, 22), (2, 10), (2, 22), (3, 10)] {
        events.extend(agent::inventory(at(day, hour, 3, 5), &PUBLIC));
        events.extend(agent::inventory(at(day, hour, 3, 41), &NAT));
    }

    let sent = at(1, 9, 26, 12);
    events.extend(operators::command(sent, Person::Alice, &PUBLIC, "AWS-RunShellScript", "message of the day", 9));
    events.push(agent::parameters(after(sent, 2), &PUBLIC, &["/demo/motd"]));

    let sent = at(2, 20, 0, 4);
    let command = operators::command_id(sent, "AWS-RunPatchBaseline");
    events.extend(operators::command(sent, Person::Alice, &NAT, "AWS-RunPatchBaseline", "security updates", 340));
    events.extend(agent::patching(after(sent, 3), &NAT, &command));
}

/// Others, refusals, a theft, and what lies in the tree beside the log files.
fn noise(events: &mut Vec<Event>) {
    events.push(operators::console_login(at(1, 13, 39, 50)));
    events.push(operators::refused_session(at(0, 14, 8, 33), Person::Dave, &NAT));
    events.push(others::refused_listing(at(1, 8, 19, 2)));
    events.push(others::refused_instances(at(1, 13, 52, 47)));
    events.push(agent::throttled(at(2, 3, 20, 58), &PUBLIC));
    events.push(others::stolen(at(2, 23, 47, 16)));
    events.push(others::turned_away(at(1, 15, 9, 12)));
    events.extend(others::insight(at(2, 12, 30, 0)));
    for (day, hour) in [(0, 12), (2, 12), (3, 12)] {
        events.extend(others::pipeline(at(day, hour, 31, 8)));
        events.push(others::config(at(day, hour, 44, 20), &DEMO));
        events.push(others::config(at(day, hour, 44, 22), &PRIVATELINK));
    }
    for session in sessions().iter().filter(|s| s.logged && s.who == Person::Bob) {
        let id = operators::session_id(session.who, session.start, session.on);
        let later = after(session.start, 4 * 3600);
        events.extend(others::log_reader(later, session.on.stack, &id, session.bytes));
    }
    // CloudTrail may deliver an event twice: the first start of a session lies in a later file again.
    let again = operators::start_session(at(0, 9, 12, 40), Person::Alice, &PUBLIC, true);
    events.push(Event { time: at(0, 17, 0, 0), ..again });
}
