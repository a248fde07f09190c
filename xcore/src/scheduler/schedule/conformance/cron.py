# Writes cron.txt: what cronsim, which follows Debian's cron, says of expressions, zones and instants.
#   pip install cronsim==2.8 tzdata && python cron.py > cron.txt
from datetime import datetime, timezone
from zoneinfo import ZoneInfo
from cronsim import CronSim

plain = """
* * * * *|*/5 * * * *|0 * * * *|30 6 * * *|15,45 * * * *|0 0 * * *|0 0 1 * *|0 0 31 * *|0 0 29 2 *|0 0 30 4,6 *
0 9-17 * * *|0 9-17/2 * * MON-FRI|*/7 * * * *|3-59/10 * * * *|0 */6 * * *|0 0 */3 * *|0 0 * */2 *|0 0 1 1 *|59 23 31 12 *|0 12 * * 0
0 12 * * 7|0 12 * * SUN|0 12 * * sat|0 0 13 * FRI|0 0 1,15 * MON|0 0 * JAN-MAR WED|0 0 L * *|0 0 L 2 *|0 0 * * 5L|0 0 * * MON#1
0 0 * * FRI#3|0 0 * * 2#5|0 4 8-14 * *|0 4 * * 1-5|5 4 * * 6|0 22 * * 1-5|23 0-20/2 * * *|0 0,12 1 */2 *|0 4 1-7 * SUN|10-20/5 8 * 3 *
0 0 28-31 * *|0 0 1-31/2 * *|0 0 5 11 0|30 23 L * *|1 2 3 4 *|0 0 1 * 0-6/2|45 17 7 6 *|0 3 1 3,9 TUE|0 0 15 AUG *|*/15 0-5,22-23 * * *
""".replace("\n", "|").split("|")
seconds = """
* * * * * *|*/20 * * * * *|15 30 6 * * *|0 0 12 * * *|30 */10 * * * *|5,35 0 0 1 * *|0-10/5 59 23 31 12 *|45 0 0 L * *|1 1 1 1 1 *|59 59 23 * * SUN
10 0 8 * * MON-FRI|0 15 10 * * 6#3|0 0 0 29 2 *|20-40/7 30 * * * *
""".replace("\n", "|").split("|")
fixed = "30 2 * * *|0 2 * * *|59 1 * * *|0 3 * * *|30 0 * * *|30 1 * * *|0 0 * * *|15 2 * * SUN".split("|")
running = "*/30 * * * *|*/20 1-3 * * *|7 * * * *|*/5 2 * * *|0 * * * *".split("|")
instants = ["2030-01-01T00:00:00Z", "2032-02-28T23:59:30Z", "2031-08-31T12:34:56Z"]
edges = [
    ("Europe/Berlin", ["2030-03-30T20:00:00Z", "2030-10-26T20:00:00Z"]),
    ("America/New_York", ["2030-03-09T23:00:00Z", "2030-11-02T23:00:00Z"]),
    ("Australia/Sydney", ["2030-10-05T08:00:00Z", "2030-04-06T08:00:00Z"]),
]
zones = ["UTC", "Asia/Kolkata", "America/Los_Angeles"]


def line(expression, zone, begin, count):
    at = datetime.fromisoformat(begin.replace("Z", "+00:00"))
    at = at.astimezone(timezone.utc if zone == "UTC" else ZoneInfo(zone))
    found = CronSim(expression, at)
    ticks = [next(found).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") for _ in range(count)]
    print("|".join([expression, zone, begin, *ticks]))


for number, expression in enumerate(filter(None, plain + seconds)):
    for at, begin in enumerate(instants):
        line(expression, zones[(number + at) % 3], begin, 3)
for zone, begins in edges:
    for begin in begins:
        for expression in fixed + running:
            line(expression, zone, begin, 12 if expression in running else 3)
