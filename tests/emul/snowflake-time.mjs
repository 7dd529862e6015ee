// Dates and times as Snowflake reads and writes them, as microseconds since 1970 (BigInt).

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

function micros(year, month, day, hour, minute, second, fraction = '', offsetMinutes = 0) {
	const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
	const last = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
	if (!(month >= 1 && month <= 12 && day >= 1 && day <= last && hour <= 23 && minute <= 59 && second <= 59 &&
		Math.abs(offsetMinutes) <= 14 * 60))
		return null;
	const date = new Date(0);
	date.setUTCFullYear(year, month - 1, day);
	date.setUTCHours(hour, minute - offsetMinutes, second);
	return BigInt(date.getTime()) * 1000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
}
const offsetOf = text => {
	if (text === undefined || /^[zZ]$/.test(text))
		return 0;
	const [, sign, hours, minutes = '0'] = /^([+-])(\d{1,2}):?(\d{2})?$/.exec(text);
	return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
};

const ISO = /^([+-]?\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{0,9}))?)?)?\s*([zZ]|[+-]\d{1,2}(?::?\d{2})?)?)?$/;
const RFC = /^(?:[A-Z][a-z]{2},? )?(\d{1,2})[ -]([A-Z][a-z]{2})[ -](\d{4}) (\d{2}):(\d{2}):(\d{2})(?: ([+-]\d{4}|[zZ]|GMT))?$/;
const US = /^(\d{1,2})\/(\d{1,2})\/(\d{4})(?: (\d{1,2}):(\d{2}):(\d{2}))?$/;

// What AUTO takes: {micros, zoned}, or null.
function auto(text) {
	let m = ISO.exec(text);
	if (m) {
		const at = micros(Number(m[1]), Number(m[2]), Number(m[3]), Number(m[4] ?? 0), Number(m[5] ?? 0), Number(m[6] ?? 0), m[7],
			offsetOf(m[8]));
		return at === null ? null : { micros: at, zoned: m[8] !== undefined, offset: offsetOf(m[8]) };
	}
	if (/^-?\d+$/.test(text)) { // seconds, milliseconds, microseconds or nanoseconds, by size
		const n = BigInt(text), size = n < 0n ? -n : n;
		return { micros: size < 31536000000n ? n * 1000000n : size < 31536000000000n ? n * 1000n : size < 31536000000000000n ? n
			: n / 1000n, zoned: false, offset: 0 };
	}
	m = RFC.exec(text);
	if (m && MONTHS.includes(m[2].toUpperCase())) {
		const zone = m[7] === 'GMT' ? 'Z' : m[7];
		const at = micros(Number(m[3]), MONTHS.indexOf(m[2].toUpperCase()) + 1, Number(m[1]), Number(m[4]), Number(m[5]),
			Number(m[6]), '', offsetOf(zone));
		return at === null ? null : { micros: at, zoned: zone !== undefined, offset: offsetOf(zone) };
	}
	m = US.exec(text);
	if (m) {
		const at = micros(Number(m[3]), Number(m[1]), Number(m[2]), Number(m[4] ?? 0), Number(m[5] ?? 0), Number(m[6] ?? 0));
		return at === null ? null : { micros: at, zoned: false, offset: 0 };
	}
	return null;
}

const ELEMENTS = /YYYY|MMMM|MON|MM|DD|DY|HH24|HH12|HH|AM|PM|MI|SS|FF\d?|TZH|TZM|YY|"[^"]*"|[\s\S]/gi;
const patterns = new Map();
function pattern(format) {
	let found = patterns.get(format);
	if (!found) {
		const names = [], source = (format.match(ELEMENTS) ?? []).map(element => {
			const e = element.toUpperCase();
			const keep = (name, expression) => (names.push(name), `(${expression})`);
			switch (e) {
			case 'YYYY': return keep('year', '\\d{4}');
			case 'YY': return keep('short', '\\d{2}');
			case 'MM': return keep('month', '\\d{1,2}');
			case 'MON': return keep('name', '[A-Za-z]{3}');
			case 'MMMM': return keep('name', '[A-Za-z]{3,9}');
			case 'DD': return keep('day', '\\d{1,2}');
			case 'DY': return '[A-Za-z]{3}';
			case 'HH24': case 'HH': return keep('hour', '\\d{1,2}');
			case 'HH12': return keep('hour', '\\d{1,2}');
			case 'AM': case 'PM': return keep('half', '[AaPp][Mm]');
			case 'MI': return keep('minute', '\\d{1,2}');
			case 'SS': return keep('second', '\\d{1,2}');
			case 'TZH': return keep('zoneHours', '[+-]\\d{2}|[zZ]');
			case 'TZM': return keep('zoneMinutes', '\\d{2}|');
			default:
				if (/^FF\d?$/.test(e))
					return keep('fraction', '\\d{0,9}');
				return (element.startsWith('"') && element.length > 1 ? element.slice(1, -1)
					: element).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
			}
		}).join('');
		patterns.set(format, found = { names, expression: new RegExp(`^${source}$`) });
	}
	return found;
}

// {micros, zoned, offset}, or null
export function parseTime(text, format = 'AUTO') {
	text = text.trim();
	if (/^auto$/i.test(format))
		return auto(text);
	const { names, expression } = pattern(format), m = expression.exec(text);
	if (!m)
		return null;
	const f = Object.fromEntries(names.map((name, i) => [name, m[i + 1]]));
	const month = f.name ? MONTHS.indexOf(f.name.slice(0, 3).toUpperCase()) + 1 : Number(f.month ?? 1);
	let hour = Number(f.hour ?? 0);
	if (f.half)
		hour = hour % 12 + (/^p/i.test(f.half) ? 12 : 0);
	const zoned = f.zoneHours !== undefined, offset = zoned && !/^z$/i.test(f.zoneHours)
		? offsetOf(f.zoneHours + (f.zoneMinutes || '00')) : 0;
	const at = micros(f.short ? Number(f.short) + (Number(f.short) < 70 ? 2000 : 1900) : Number(f.year ?? 1970), month,
		Number(f.day ?? 1), hour,
		Number(f.minute ?? 0), Number(f.second ?? 0), f.fraction, offset);
	return at === null ? null : { micros: at, zoned, offset };
}

export function formatTime(at, format, offset = 0) {
	const ms = Number((at - (at % 1000n + 1000n) % 1000n) / 1000n), date = new Date(ms + offset * 60000);
	const fraction = String(((at % 1000000n) + 1000000n) % 1000000n).padStart(6, '0').padEnd(9, '0');
	const two = n => String(n).padStart(2, '0');
	return format.replace(ELEMENTS, element => {
		const e = element.toUpperCase();
		switch (e) {
		case 'YYYY': return String(date.getUTCFullYear()).padStart(4, '0');
		case 'YY': return two(date.getUTCFullYear() % 100);
		case 'MM': return two(date.getUTCMonth() + 1);
		case 'MON': return MONTHS[date.getUTCMonth()][0] + MONTHS[date.getUTCMonth()].slice(1).toLowerCase();
		case 'DD': return two(date.getUTCDate());
		case 'DY': return DAYS[date.getUTCDay()][0] + DAYS[date.getUTCDay()].slice(1).toLowerCase();
		case 'HH24': case 'HH': return two(date.getUTCHours());
		case 'HH12': return two((date.getUTCHours() + 11) % 12 + 1);
		case 'AM': case 'PM': return date.getUTCHours() < 12 ? 'AM' : 'PM';
		case 'MI': return two(date.getUTCMinutes());
		case 'SS': return two(date.getUTCSeconds());
		case 'TZH': return (offset < 0 ? '-' : '+') + two(Math.floor(Math.abs(offset) / 60));
		case 'TZM': return two(Math.abs(offset) % 60);
		default:
			if (/^FF\d?$/.test(e))
				return fraction.slice(0, Number(e[2] ?? 9));
			return element.startsWith('"') && element.length > 1 ? element.slice(1, -1) : element;
		}
	});
}
