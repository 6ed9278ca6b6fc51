export default function Coming() { return <p>board-page</p>; }
