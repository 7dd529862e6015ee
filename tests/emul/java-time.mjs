// Firehose's prefixes: !{timestamp:<Java DateTimeFormatter pattern>}, !{firehose:...}.

import { HttpError } from './request.mjs';

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October',
	'November', 'December'];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

function fields(ms, zone) {
	const parts = new Intl.DateTimeFormat('en-US', { timeZone: zone || 'UTC', hourCycle: 'h23', year: 'numeric',
		month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' }).formatToParts(ms);
	const n = Object.fromEntries(parts.map(p => [p.type, Number(p.value)]));
	const day = Date.UTC(n.year, n.month - 1, n.day), yearDay = (day - Date.UTC(n.year, 0, 1)) / 86400000 + 1;
	// en_US weeks, as Java has them by default: from Sunday, week 1 holds 1 January
	const weekday = new Date(day).getUTCDay();
	let weekYear = n.year;
	const nextFirst = new Date(Date.UTC(n.year + 1, 0, 1));
	if (nextFirst - day <= nextFirst.getUTCDay() * 86400000)
		weekYear++;
	const first = new Date(Date.UTC(weekYear, 0, 1));
	const week = Math.floor(((day - first) / 86400000 + first.getUTCDay()) / 7) + 1;
	return { ...n, ms: ((ms % 1000) + 1000) % 1000, yearDay, weekday, weekYear, week };
}

const text = (names, i, n) => (n === 3 ? names[i].slice(0, 3) : n === 4 ? names[i] : names[i][0]);

// Letter repeated n times.
function field(letter, n, f) {
	const pad = value => String(value).padStart(n, '0'), year = y => (n === 2 ? String(y % 100).padStart(2, '0') : pad(y));
	switch (letter) {
	case 'y': case 'u': return year(f.year);
	case 'Y': return year(f.weekYear);
	case 'w': return pad(f.week);
	case 'M': case 'L': return n >= 3 ? text(MONTHS, f.month - 1, n) : pad(f.month);
	case 'Q': case 'q': return pad(Math.floor((f.month + 2) / 3));
	case 'd': return pad(f.day);
	case 'D': return pad(f.yearDay);
	case 'E': return text(DAYS, f.weekday, Math.max(n, 3));
	case 'e': return pad(f.weekday + 1);
	case 'a': return f.hour < 12 ? 'AM' : 'PM';
	case 'H': return pad(f.hour);
	case 'k': return pad(f.hour || 24);
	case 'h': return pad(f.hour % 12 || 12);
	case 'K': return pad(f.hour % 12);
	case 'm': return pad(f.minute);
	case 's': return pad(f.second);
	case 'S': return String(f.ms).padStart(3, '0').padEnd(n, '0').slice(0, n);
	default: throw new HttpError(400, 'InvalidArgumentException', `Unknown pattern letter: ${letter}`);
	}
}

export function formatTime(pattern, ms, zone) {
	const f = fields(ms, zone);
	let out = '';
	for (let i = 0; i < pattern.length;) {
		const c = pattern[i];
		if (c === "'") {
			if (pattern[i + 1] === "'") {
				out += "'";
				i += 2;
				continue;
			}
			let end = i + 1, literal = '';
			for (; end < pattern.length && !(pattern[end] === "'" && pattern[end + 1] !== "'"); end++) {
				literal += pattern[end];
				if (pattern[end] === "'")
					end++;
			}
			if (end >= pattern.length)
				throw new HttpError(400, 'InvalidArgumentException', `Pattern ends with an incomplete string literal: ${pattern}`);
			out += literal;
			i = end + 1;
		} else if (/[A-Za-z]/.test(c)) {
			let n = 1;
			while (pattern[i + n] === c)
				n++;
			out += field(c, n, f);
			i += n;
		} else {
			if ('{}#'.includes(c))
				throw new HttpError(400, 'InvalidArgumentException', `Pattern includes reserved character: '${c}'`);
			out += c;
			i++;
		}
	}
	return out;
}

const EXPRESSION = /!\{([^:{}]*):([^{}]*)\}/g;
const hasExpression = prefix => /!\{/.test(prefix ?? '');

// kind: 'prefix' or 'error'; `at` in ms; random: 11 characters of !{firehose:random-string}
export function evaluatePrefix(prefix, kind, at, zone, errorType, random) {
	let hasTime = false;
	let out = (prefix ?? '').replace(EXPRESSION, (all, space, value) => {
		if (space === 'timestamp') {
			hasTime = true;
			return formatTime(value, at, zone);
		}
		if (space === 'firehose' && value === 'random-string')
			return random();
		if (space === 'firehose' && value === 'error-output-type' && kind === 'error')
			return errorType;
		throw new HttpError(400, 'InvalidArgumentException', `Invalid expression ${all} in ${kind === 'error' ? 'ErrorOutputPrefix' : 'Prefix'}`);
	});
	if (!hasTime)
		out += formatTime('yyyy/MM/dd/HH/', at, zone);
	if (hasExpression(out))
		throw new HttpError(400, 'InvalidArgumentException', `Malformed expression in prefix: ${prefix}`);
	if (Buffer.byteLength(out) > 512)
		throw new HttpError(400, 'InvalidArgumentException', 'The evaluated prefix is longer than 512 characters');
	return out;
}

// What CreateDeliveryStream and UpdateDestination refuse.
export function checkPrefixes(prefix, errorPrefix, zone) {
	if (hasExpression(prefix) && (errorPrefix === undefined || errorPrefix === null || errorPrefix === ''))
		throw new HttpError(400, 'InvalidArgumentException', 'ErrorOutputPrefix must be specified when Prefix contains expressions');
	if (hasExpression(errorPrefix) && !errorPrefix.includes('!{firehose:error-output-type}'))
		throw new HttpError(400, 'InvalidArgumentException', 'ErrorOutputPrefix must contain !{firehose:error-output-type} when it contains expressions');
	try {
		new Intl.DateTimeFormat('en-US', { timeZone: zone || 'UTC' });
	} catch {
		throw new HttpError(400, 'InvalidArgumentException', `Invalid CustomTimeZone ${zone}`);
	}
	evaluatePrefix(prefix, 'prefix', 0, zone, '', () => 'x'.repeat(11));
	evaluatePrefix(errorPrefix, 'error', 0, zone, 'processing-failed', () => 'x'.repeat(11));
}
