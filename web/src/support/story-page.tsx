export default function Coming() { return <p>story-page</p>; }
