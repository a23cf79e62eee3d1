/* What is wrong with the page as it is now: [sentence, ...]. */
() => {
	const wrong = [];
	const parse = text => {
		const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
		return { r, g, b, a };
	};
	const luminance = ({ r, g, b }) => {
		const [x, y, z] = [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * x + 0.7152 * y + 0.0722 * z;
	};
	const contrast = (one, other) => {
		const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
		return (light + 0.05) / (dark + 0.05);
	};
	const ground = element => {
		for (let at = element; at; at = at.parentElement) {
			const colour = parse(getComputedStyle(at).backgroundColor);
			if (colour.a === 1)
				return colour;
			if (colour.a > 0)
				wrong.push(`${at.tagName}.${at.className} has a ground that one sees through`);
		}
		return { r: 255, g: 255, b: 255 };
	};
	const says = element => [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
	const where = element => `${element.tagName}.${element.className} "${element.textContent.slice(0, 40)}"`;
	for (const element of document.body.querySelectorAll("*")) {
		if (!says(element) || !element.checkVisibility() || ["STYLE", "SCRIPT", "NOSCRIPT"].includes(element.tagName) || element.className === "skip")
			continue;
		const style = getComputedStyle(element), ratio = contrast(parse(style.color), ground(element));
		if (ratio < 4.5 || Number(style.opacity) < 1)
			wrong.push(`${where(element)} has a contrast of ${ratio.toFixed(2)}`);
		if (parseFloat(style.fontSize) < 12)
			wrong.push(`${where(element)} is written in ${style.fontSize}`);
	}
	const root = document.documentElement;
	if (root.scrollWidth > innerWidth)
		wrong.push(`the page is ${root.scrollWidth} px wide, the window ${innerWidth}`);
	for (const part of document.querySelectorAll(".scroll"))
		if (part.scrollWidth > part.clientWidth)
			wrong.push(`${part.getAttribute("aria-labelledby")} is ${part.scrollWidth} px wide, its place ${part.clientWidth}`);
	for (const part of document.querySelectorAll("h1, h2, h3, p, td, th, li, button, input")) {
		const box = part.getBoundingClientRect();
		if (part.checkVisibility() && part.className !== "skip" && (box.left < -0.5 || box.right > innerWidth + 0.5))
			wrong.push(`${where(part)} reaches from ${box.left} to ${box.right}`);
	}
	if (window.shifts === undefined)
		wrong.push("nobody has watched what moves");
	for (const shift of window.shifts || [])
		wrong.push(`something moved by itself: ${shift}`);
	return wrong;
}
