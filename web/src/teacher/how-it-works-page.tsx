export default function Coming() { return <p>how-it-works-page</p>; }
