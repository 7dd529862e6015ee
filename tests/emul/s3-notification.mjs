// The notification configuration of a bucket: replaced whole, at most one prefix and one suffix a rule, no two
// rules for the same event that could both want one key.

import { HttpError, childText, childrenOf } from './request.mjs';

const KINDS = { QueueConfiguration: 'Queue', TopicConfiguration: 'Topic', CloudFunctionConfiguration: 'CloudFunction' };
const EVENTS = /^s3:(ObjectCreated|ObjectRemoved|ObjectRestore|Replication|LifecycleExpiration|ObjectTagging):(\*|\w+)$|^s3:(ReducedRedundancyLostObject|TestEvent|LifecycleTransition|IntelligentTiering|ObjectAcl:Put)$/;

const refused = (message, detail) => new HttpError(400, 'InvalidArgument', message, detail);

export function checkNotification(root, config, skipValidation) {
	const rules = [];
	if (root.name !== 'NotificationConfiguration')
		throw new HttpError(400, 'MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema');
	for (const node of root.children) {
		if (node.name === 'EventBridgeConfiguration') {
			rules.push({ kind: node.name });
			continue;
		}
		const target = KINDS[node.name], arn = target && childText(node, target);
		const events = childrenOf(node, 'Event').map(e => e.text);
		if (!target || !arn || !events.length)
			throw new HttpError(400, 'MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema');
		for (const event of events)
			if (!EVENTS.test(event))
				throw refused('A specified event is not supported for notifications.', { ArgumentName: 'Event', ArgumentValue: event });
		const rule = { kind: node.name, id: childText(node, 'Id') ?? `auto-${rules.length}-${Math.random().toString(36).slice(2)}`,
			target, arn, events, prefix: '', suffix: '', filters: [] };
		for (const filter of childrenOf(node, 'Filter').flatMap(f => childrenOf(f, 'S3Key')).flatMap(k => childrenOf(k, 'FilterRule'))) {
			const name = (childText(filter, 'Name') ?? '').toLowerCase(), value = childText(filter, 'Value') ?? '';
			if (name !== 'prefix' && name !== 'suffix')
				throw refused('filter rule name must be either prefix or suffix');
			if (rule.filters.some(f => f.name === name))
				throw refused(`Cannot specify more than one ${name} rule in a filter.`);
			rule.filters.push({ name, value });
			rule[name] = value;
		}
		if (!/^arn:aws[a-z-]*:(sqs|sns|lambda):[a-z0-9-]*:\d{12}:.+/.test(arn) || /\.fifo$/.test(arn))
			throw refused('The ARN could not be parsed', { ArgumentName: target, ArgumentValue: arn });
		rules.push(rule);
	}
	if (rules.length > config.max_notifications)
		throw new HttpError(400, 'TooManyConfigurations', 'You are attempting to create more notification configurations than allowed');
	for (let i = 0; i < rules.length; i++)
		for (let j = 0; j < i; j++) {
			const a = rules[i], b = rules[j];
			if (a.id !== undefined && a.id === b.id)
				throw refused('Configuration ids must be unique', { ArgumentName: 'Id', ArgumentValue: a.id });
			if (a.events && b.events && sameEvents(a, b) && (a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix)) &&
			    (a.suffix.endsWith(b.suffix) || b.suffix.endsWith(a.suffix)))
				throw refused('Configurations overlap. Configurations on the same bucket cannot share a common event type.',
					{ ArgumentName: 'NotificationConfiguration' });
		}
	if (!skipValidation && config.notification_destinations)
		for (const rule of rules)
			if (rule.arn && !config.notification_destinations.includes(rule.arn))
				throw refused('Unable to validate the following destination configurations',
					{ ArgumentName1: rule.arn, ArgumentValue1: 'The destination queue does not exist' });
	return rules;
}

function sameEvents(a, b) {
	const covers = (x, y) => x === y || (x.endsWith(':*') && y.startsWith(x.slice(0, -1)));
	return a.events.some(x => b.events.some(y => covers(x, y) || covers(y, x)));
}

export function notificationXml(rules) {
	const tree = {};
	for (const rule of rules) {
		if (!rule.target) {
			tree[rule.kind] = '';
			continue;
		}
		(tree[rule.kind] ??= []).push({ Id: rule.id, [rule.target]: rule.arn, Event: rule.events,
			Filter: rule.filters.length ? { S3Key: { FilterRule: rule.filters.map(f => ({
				Name: f.name === 'prefix' ? 'Prefix' : 'Suffix', Value: f.value })) } } : undefined });
	}
	return tree;
}

// Would this bucket's configuration tell about such an event?
export function notified(rules, key, event) {
	return rules.some(rule => rule.events?.some(e => e === `s3:${event}` || (e.endsWith(':*') && `s3:${event}`.startsWith(e.slice(0, -1)))) &&
		key.startsWith(Buffer.from(rule.prefix, 'utf8').toString('latin1')) &&
		key.endsWith(Buffer.from(rule.suffix, 'utf8').toString('latin1')));
}
