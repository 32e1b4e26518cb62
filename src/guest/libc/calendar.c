/* Dates: seconds since 1970 to and from the Gregorian calendar, in UTC, which is the only zone here. */
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const day_names[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
static const char *const month_names[] = { "January", "February", "March", "April", "May", "June", "July", "August",
					   "September", "October", "November", "December" };

static int is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int month, int year)
{
	static const char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	return days[month] + (month == 1 && is_leap(year));
}

struct tm *gmtime_r(const time_t *at, struct tm *to)
{
	long days = *at / 86400, rest = *at % 86400;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	*to = (struct tm){ .tm_sec = rest % 60, .tm_min = rest / 60 % 60, .tm_hour = rest / 3600 };
	to->tm_wday = ((days + 4) % 7 + 7) % 7;
	int year = 1970;
	for (; days < 0; days += 365 + is_leap(year))
		year--;
	for (; days >= 365 + is_leap(year); year++)
		days -= 365 + is_leap(year);
	to->tm_year = year - 1900;
	to->tm_yday = days;
	for (; days >= days_in_month(to->tm_mon, year); to->tm_mon++)
		days -= days_in_month(to->tm_mon, year);
	to->tm_mday = days + 1;
	return to;
}

struct tm *gmtime(const time_t *at)
{
	static struct tm shared;
	return gmtime_r(at, &shared);
}

time_t timegm(struct tm *tm)
{
	long days = tm->tm_mday - 1;
	int year = tm->tm_year + 1900;

	for (int y = 1970; y < year; y++)
		days += 365 + is_leap(y);
	for (int y = year; y < 1970; y++)
		days -= 365 + is_leap(y);
	for (int month = 0; month < tm->tm_mon; month++)
		days += days_in_month(month, year);
	return ((days * 24 + tm->tm_hour) * 60 + tm->tm_min) * 60 + tm->tm_sec;
}

size_t strftime(char *to, size_t size, const char *format, const struct tm *tm)
{
	size_t used = 0;
	char part[64];

	for (; *format; format++) {
		if (*format != '%' || !format[1]) {
			part[0] = *format;
			part[1] = 0;
		} else
			switch (*++format) {
			case 'Y': snprintf(part, sizeof part, "%d", tm->tm_year + 1900); break;
			case 'y': snprintf(part, sizeof part, "%02d", tm->tm_year % 100); break;
			case 'm': snprintf(part, sizeof part, "%02d", tm->tm_mon + 1); break;
			case 'd': snprintf(part, sizeof part, "%02d", tm->tm_mday); break;
			case 'e': snprintf(part, sizeof part, "%2d", tm->tm_mday); break;
			case 'H': snprintf(part, sizeof part, "%02d", tm->tm_hour); break;
			case 'I': snprintf(part, sizeof part, "%02d", (tm->tm_hour + 11) % 12 + 1); break;
			case 'M': snprintf(part, sizeof part, "%02d", tm->tm_min); break;
			case 'S': snprintf(part, sizeof part, "%02d", tm->tm_sec); break;
			case 'p': strcpy(part, tm->tm_hour < 12 ? "AM" : "PM"); break;
			case 'j': snprintf(part, sizeof part, "%03d", tm->tm_yday + 1); break;
			case 'u': snprintf(part, sizeof part, "%d", tm->tm_wday ? tm->tm_wday : 7); break;
			case 'w': snprintf(part, sizeof part, "%d", tm->tm_wday); break;
			case 'a': snprintf(part, sizeof part, "%.3s", day_names[tm->tm_wday]); break;
			case 'A': strcpy(part, day_names[tm->tm_wday]); break;
			case 'b':
			case 'h': snprintf(part, sizeof part, "%.3s", month_names[tm->tm_mon]); break;
			case 'B': strcpy(part, month_names[tm->tm_mon]); break;
			case 'F': strftime(part, sizeof part, "%Y-%m-%d", tm); break;
			case 'T': strftime(part, sizeof part, "%H:%M:%S", tm); break;
			case 'R': strftime(part, sizeof part, "%H:%M", tm); break;
			case 'D': strftime(part, sizeof part, "%m/%d/%y", tm); break;
			case 'c': strftime(part, sizeof part, "%a %b %e %T %Y", tm); break;
			case 'Z': strcpy(part, "UTC"); break;
			case 'z': strcpy(part, "+0000"); break;
			case 's': snprintf(part, sizeof part, "%ld", timegm(&(struct tm){ .tm_sec = tm->tm_sec, .tm_min = tm->tm_min, .tm_hour = tm->tm_hour, .tm_mday = tm->tm_mday, .tm_mon = tm->tm_mon, .tm_year = tm->tm_year })); break;
			case 'n': strcpy(part, "\n"); break;
			case 't': strcpy(part, "\t"); break;
			default: part[0] = *format; part[1] = 0;
			}
		size_t length = strlen(part);
		if (used + length >= size)
			return 0;
		memcpy(to + used, part, length);
		used += length;
	}
	to[used] = 0;
	return used;
}
